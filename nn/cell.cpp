#include "nn/cell.h"

#include <fmt/format.h>

namespace unroll::nn::detail {

namespace {

std::string shape_of(Var v, Tape& tape) {
  if (!v.defined()) return "an empty Var";
  return to_string(tape.value(tape.check(v, "scan", {})).shape);
}

[[noreturn]] void reject(std::string_view cell, std::string_view function, std::string_view came,
                         std::string_view needed) {
  autograd::fail("scan", fmt::format("{}::{} gave {}; needed {}", cell, function, came, needed));
}

}  // namespace

void check_projected(Var projected, Index rows, std::string_view cell) {
  if (!projected.defined()) reject(cell, "project", "an empty Var", fmt::format("{} rows", rows));
  const Shape shape = projected.shape();
  if (shape.rank() != 2 || shape[0] != rows)
    reject(cell, "project", to_string(shape), fmt::format("{} rows, one for each of the input", rows));
}

void check_initial(std::span<const Var> state, Tape& tape, Index batch, std::string_view cell) {
  for (const Var v : state) {
    const bool fits = v.defined() && [&] {
      const Shape& shape = tape.value(tape.check(v, "scan", {})).shape;
      return shape.rank() > 0 && shape[0] == batch;
    }();
    if (!fits)
      reject(cell, "initial", shape_of(v, tape),
             fmt::format("{} row{}", batch, batch == 1 ? "" : "s, one for each sequence"));
  }
}

void reject_step(Var next, Var before, Tape& tape, std::string_view cell) {
  reject(cell, fmt::format("step at time step {}", tape.time_step()), shape_of(next, tape),
         shape_of(before, tape) + ", the shape of that Var of the state before");
}

}  // namespace unroll::nn::detail
