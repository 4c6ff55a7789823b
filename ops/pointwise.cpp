#include "ops/pointwise.h"

#include <fmt/format.h>

#include <optional>
#include <vector>

#include "ops/broadcast.h"

namespace unroll::ops::detail {

namespace {
// Whether `s` can be repeated to `full`: as it is, as a scalar, a row or a column.
bool fits(const Shape& s, const Shape& full) {
  if (s == full || s.size() == 1) return true;
  if (s.rows() == 1 && s.cols() == full.cols()) return true;
  return s.cols() == 1 && s.rank() == full.rank() && s == full.with(-1, 1);
}
// The shape that `count` operands broadcast to in the loop, if there is one.
template <class ShapeOf>
std::optional<Shape> full_shape(int count, ShapeOf shape) {
  auto all_fit = [&](const Shape& full) {
    for (int i = 0; i < count; ++i)
      if (!fits(shape(i), full)) return false;
    return true;
  };
  for (int i = 0; i < count; ++i)
    if (all_fit(shape(i))) return shape(i);
  // A column and a row: neither is full.
  for (int i = 0; i < count; ++i)
    for (int j = 0; j < count; ++j)
      if (shape(i).rank() > 0 && shape(i).cols() == 1 && shape(j).rows() == 1)
        if (const Shape full = shape(i).with(-1, shape(j).cols()); all_fit(full)) return full;
  return {};
}
}  // namespace

Shape broadcast(autograd::Tape& tape, std::span<Var> operands, const char* op, SourceLocation location) {
  auto shape = [&](int i) -> const Shape& {
    return tape.value(operands[static_cast<std::size_t>(i)].index()).shape;
  };
  const int count = static_cast<int>(operands.size());
  if (const auto full = full_shape(count, shape)) return *full;
  std::vector<Shape> shapes;
  for (int i = 0; i < count; ++i) shapes.push_back(shape(i));
  if (const auto common = common_shape(shapes)) {
    for (Var& x : operands)
      if (x.shape() != *common) x = broadcast_to(x, *common, location);
    return *common;
  }
  std::string came;
  for (const Shape& s : shapes) came += (came.empty() ? "" : ", ") + to_string(s);
  const std::span<const Var> vars = operands;
  autograd::Inputs(tape, op, vars, location)
      .reject(
          fmt::format("shapes {} came; needed equal shapes, or rows, columns or scalars to repeat", came));
}

}  // namespace unroll::ops::detail
