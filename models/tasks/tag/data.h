// From tagged sentences to what a tagger learns from and is measured on.
#pragma once
#include <array>
#include <string>
#include <vector>

#include "models/data/parts.h"
#include "models/data/tagged_text.h"
#include "models/tasks/tag/net.h"

namespace unroll::models {

struct TaggingDataOptions {
  DataFiles files;
  TaggedFormat format;
  Vocabulary::Limits limits;  // of words
  bool lower = false;         // TaggerOptions::lower
};

struct TaggingData {
  std::array<TaggedData, 3> parts;  // training, validation, test
  LabelSet tags;                    // all of these of the training part
  Vocabulary vocabulary, alphabet;
};
/// Throws Error for files that are not as they should be, and for a tag that the training part does not have.
/// Shares of one file are sentences drawn at random.
TaggingData read_tagging_data(const TaggingDataOptions& options, BadRows& bad);
/// A file as a trained tagger reads it; throws Error for a tag that it does not know.
TaggedData read_tagged_data(const SavedTagger& tagger, const std::string& path, const TaggedFormat& format,
                            BadRows& bad);
/// Sentences of words, without tags.
TaggedData sentence_data(const SavedTagger& tagger, std::span<const std::vector<std::string>> sentences);

}  // namespace unroll::models
