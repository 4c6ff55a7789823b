// Pretrained word vectors in the text form of word2vec and GloVe: a word and its numbers on each line.
#pragma once
#include <string>
#include <vector>

#include "autograd/tensor/tensor.h"
#include "models/data/line_reader.h"
#include "models/data/vocabulary.h"

namespace unroll::models {

/// The vectors of those words that a vocabulary has.
struct WordVectors {
  Index width = 0;
  std::vector<int> ids;       // in the vocabulary
  std::vector<float> values;  // ids.size() rows of `width`
  Index in_file = 0;          // words in the file

  /// Writes each vector into its row of a [vocabulary, width] table.
  void write_to(Tensor& table) const;
};

/// A first line of two whole numbers (words, width) is a header; else the first line says the width. The
/// file is read line by line, and only what the vocabulary has is kept. A word may have blanks in it: the
/// last `width` fields are the numbers. Throws Error for a row of another width or with something that is not
/// a finite number, for a word of the vocabulary that comes twice, for a header that does not say how many
/// rows there are, and for a file that has no word of the vocabulary.
WordVectors read_word_vectors(const std::string& path, const Vocabulary& vocabulary, BadRows& bad);

}  // namespace unroll::models
