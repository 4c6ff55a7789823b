// Sentences with a tag for each word, as files have them: one sentence at a time.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "models/data/line_reader.h"
#include "models/settings/allowed.h"

namespace unroll::models {

struct TaggedSentence {
  Place place;  // of its first word
  std::vector<std::string> words;
  std::vector<std::string> tags;
  std::vector<Index> lines;  // where each word stands
};

/// One word a line, an empty line after each sentence.
enum class TaggedForm {
  conllu,  // https://universaldependencies.org/format.html
  columns  // fields between TABs or blanks, the word first
};
inline constexpr Word<TaggedForm> kTaggedForms[] = {{"conllu", TaggedForm::conllu},
                                                    {"columns", TaggedForm::columns}};
/// CoNLL-U if the name ends in ".conllu" or ".conll-u".
TaggedForm tagged_form_of(const std::string& path);

struct TaggedFormat {
  TaggedForm form = TaggedForm::conllu;
  int column = 4;  // of the tag, from 1
};
/// Where tags are not known: the words stand for them.
inline constexpr TaggedFormat kWordsOfConllu{TaggedForm::conllu, 2};
/// The column of a name: CoNLL-U's "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc", or a
/// number from 2; for "", upos, or the last column of a column file, which is 0. Throws Error for others.
int tag_column(TaggedForm form, const std::string& name);

/// Calls use(sentence) for each sentence, in the order of the file; what it throws counts as a mistake in
/// the sentence. Of CoNLL-U, syntactic words are read: lines of multiword tokens (1-2) and empty nodes (1.1)
/// are checked and passed over, as are comments before a sentence. Throws Error for what the format forbids,
/// for an empty field, for the tag '_' in the columns upos and xpos, where it says that there is none, and
/// for a file without sentences. A bad line makes the whole sentence bad.
void read_tagged_text(const std::string& path, const TaggedFormat& format, BadRows& bad,
                      const std::function<void(const TaggedSentence&)>& use);

}  // namespace unroll::models
