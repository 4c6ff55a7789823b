// The table of all ops, with which every op is tested the same way. An op that is not in it fails the suite.
//
// To add an op: write an OpEntry in the file of its family, tests/ops/<family>_ops.cpp, which returns a
// std::vector<OpEntry>; a new family is declared below and listed in all_entries() (op_table.cpp). An entry
// is
//
//   {.name = "matmul",
//    .build = [](Tape&, Inputs x) { return Outputs{matmul(x[0], x[1])}; },
//    .expected = [](Numbers x) { return std::vector{product(x[0], x[1])}; },
//    .samples = {{{2, 3}, {3, 4}}, {{0, 3}, {3, 4}}, ...},
//    .domains = {{.low = -2, .high = 2}},
//    .bad = {{[](Tape& t) { matmul(t.zeros({2, 3}), t.zeros({4, 5})); },
//             "[matmul] a is [2, 3] and b is [4, 5]; needed the inner extents equal, 3 and 4 came"}}}
//
// expected  the formula on f64 tensors, written down anew and not with our ops
// samples   shapes of the inputs: 20 or more, one of them empty, one of size 1
// domains   where the numbers of each input come from; the last is repeated
// bad       calls that are refused, with the message but for its "(file:line)"
//
// What differs between samples beside shapes (labels, lengths, axes) is derived from the shapes, or is an
// entry of its own. Never draw random numbers in `build`, unless from a generator made there.
//
// complaints() runs each sample in each Layout that its shapes allow, and there: the value against the
// formula; the gradient against differences (autograd/gradient_check.h) to 1e-6; f32 against f64, values and
// gradients; the same bits on a poisoned tape; the same memory as on a dry tape; the same gradient when only
// one input wants it, and when the op adds to gradients that are there already.
#pragma once
#include <functional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "autograd/op.h"

namespace unroll::tests {

using Inputs = std::span<const Var>;
using Outputs = std::vector<Var>;
using Numbers = std::span<const Tensor>;

/// Where the numbers of an input come from. No two of one sample are closer than 1e-4, so that max(a, b) has
/// no kink nearby.
struct Domain {
  double low = -2, high = 2;
  std::vector<double> kinks = {};    // no number comes closer than 0.05 to one of these
  std::vector<double> choices = {};  // if any: only these numbers
  bool constant = false;             // has no gradient: a mask
};

/// How the inputs lie in memory.
enum class Layout {
  whole,       // variables of their own
  parameters,  // parameters of a model
  columns,     // slices of columns of wider variables
  rows,        // slices of rows of longer variables
  shared,      // columns of one variable, where leading extents are equal
  same,        // one variable for all, where shapes and domains are equal
};

struct BadInput {
  std::function<void(Tape&)> call;
  std::string message;
};

struct OpEntry {
  std::string name;
  std::function<Outputs(Tape&, Inputs)> build;
  std::function<std::vector<Tensor>(Numbers)> expected;
  std::vector<std::vector<Shape>> samples;
  std::vector<Domain> domains = {Domain{}};
  std::vector<BadInput> bad = {};  // at least one, or the reason why there is none in
  std::string cannot_be_bad = {};
  double tolerance = 1e-12;  // of the value in f64, relative to the largest number of the output or 1
  double f32_tolerance = 5e-6;
};

/// Operands of [2, 3], and a last one of [3, 2] that does not broadcast, for an elementwise op of this label.
BadInput mismatched(const OpEntry& entry, std::size_t operands, const std::string& label);

/// All that is wrong, one line each; adds the ops that were run to `seen`.
std::vector<std::string> complaints(const OpEntry& entry, std::set<const autograd::OpTable*>& seen);

std::vector<OpEntry> all_entries();
// The families:
std::vector<OpEntry> broadcast_ops();
std::vector<OpEntry> cell_ops();
std::vector<OpEntry> elementwise_ops();
std::vector<OpEntry> loss_ops();
std::vector<OpEntry> matmul_ops();
std::vector<OpEntry> reduce_ops();
std::vector<OpEntry> segment_ops();
std::vector<OpEntry> shape_ops();
std::vector<OpEntry> softmax_ops();

/// An f64 tensor filled by f(row, column).
template <class F>
Tensor tabulate(const Shape& shape, F f) {
  Tensor t(shape, f64);
  for (Index r = 0; r < shape.rows(); ++r)
    for (Index c = 0; c < shape.cols(); ++c) t.view<double>()(r, c) = f(r, c);
  return t;
}

}  // namespace unroll::tests
