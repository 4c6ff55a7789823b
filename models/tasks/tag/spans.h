// Spans that BIO tags mark, and how well they are found: the F1 of the CoNLL shared tasks.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/tensor/dtype.h"

namespace unroll::models {

using autograd::Index;

/// Words [begin, end) of one type.
struct Span {
  std::size_t begin, end;
  std::string_view type;
  bool operator==(const Span&) const = default;
};
/// A span begins at "B-X", and at "I-X" where no span of type X is going on; it goes on over "I-X" (Tjong Kim
/// Sang and De Meulder 2003, as their conlleval counts). Refers to the tags.
std::vector<Span> spans_of(std::span<const std::string_view> tags);
/// Whether each tag is "O" or begins with "B-" or "I-", and some begin so.
bool are_bio(std::span<const std::string> tags);

/// A span is right if its words and its type are.
struct SpanCounts {
  Index came = 0, predicted = 0, right = 0;
  void add(std::span<const std::string_view> tags, std::span<const std::string_view> predictions);
  /// 1 where there was nothing to find and nothing was found.
  double precision() const { return predicted > 0 ? share(right, predicted) : came == 0; }
  double recall() const { return came > 0 ? share(right, came) : predicted == 0; }
  double f1() const { return came + predicted > 0 ? share(2 * right, came + predicted) : 1; }

 private:
  static double share(Index a, Index b) { return static_cast<double>(a) / static_cast<double>(b); }
};

}  // namespace unroll::models
