// From files to what a classifier learns from and is measured on.
#pragma once
#include <array>
#include <optional>
#include <string>

#include "models/data/labelled_text.h"
#include "models/data/parts.h"
#include "models/data/time_series_file.h"
#include "models/tasks/classify/saved.h"

namespace unroll::models {

struct ClassifierDataOptions {
  DataFiles files;
  LabelledFormat format;
  TextForm text;
  Vocabulary::Limits limits;
  bool unique = false;  // rows that have come before, with the same labels, are left out before the split
};

struct ClassifierData {
  std::array<LabelledSequences, 3> parts;  // training, validation, test
  LabelSet labels;                         // of the training part, in the order of their coming
  Vocabulary vocabulary;                   // of the training part; empty for series
  Scaling scaling;                         // of the training part, for series
  Index duplicates = 0;                    // rows that were left out

  bool is_text() const { return vocabulary.size() > 0; }
};
/// Throws Error for files that are not as they should be, and for a label that the training part does not
/// have. Shares of one file are drawn at random.
ClassifierData read_classifier_data(const ClassifierDataOptions& options, BadRows& bad);

/// A file as a trained classifier reads it. Throws Error for a label that it does not know, and for series
/// of another width.
LabelledSequences read_labelled_sequences(const SavedClassifier& classifier, const std::string& path,
                                          const LabelledFormat& format, BadRows& bad);

/// Whether a file is of time series, by its name.
inline bool is_time_series(const std::string& path) { return path.ends_with(".ts"); }

}  // namespace unroll::models
