// Every cell, in one direction and in both, at any depth: for tests of what must hold for all of them.
#pragma once
#include <string>

#include "nn/cells.h"
#include "nn/recurrent.h"
#include "tests/nn/minimal_gated_unit.h"

namespace unroll::tests {

/// Calls f(name, make, width of the output) for every cell there is; make(in) gives one.
template <class F>
void each_cell(Index hidden, F f) {
  Generator g(1);
  f(
      "elman tanh", [&](Index in) { return Elman(in, hidden, g); }, hidden);
  f(
      "elman sigmoid", [&](Index in) { return Elman(in, hidden, g, sigmoid); }, hidden);
  f(
      "elman relu", [&](Index in) { return Elman(in, hidden, g, relu); }, hidden);
  f(
      "lstm", [&](Index in) { return Lstm(in, hidden, g); }, hidden);
  f(
      "lstm with peepholes", [&](Index in) { return Lstm(in, hidden, g, {.peepholes = true}); }, hidden);
  f(
      "lstm with projection", [&](Index in) { return Lstm(in, hidden, g, {.projection = 2}); }, Index{2});
  f(
      "lstm with both", [&](Index in) { return Lstm(in, hidden, g, {.peepholes = true, .projection = 3}); },
      Index{3});
  f(
      "gru, reset after", [&](Index in) { return Gru(in, hidden, g, Reset::after); }, hidden);
  f(
      "gru, reset before", [&](Index in) { return Gru(in, hidden, g, Reset::before); }, hidden);
  f(
      "minimal gated unit", [&](Index in) { return MinimalGatedUnit(in, hidden, g); }, hidden);
}

template <class Make>
auto one_direction(Make make, Index in, Index width, int depth) {
  Stack<Unidirectional<decltype(make(in))>> stack;
  for (int i = 0; i < depth; ++i) stack.layers.push_back({make(i == 0 ? in : width), Order::forward});
  return stack;
}
template <class Make>
auto both_directions(Make make, Index in, Index width, int depth) {
  Stack<Bidirectional<decltype(make(in))>> stack;
  for (int i = 0; i < depth; ++i) {
    const Index from = i == 0 ? in : 2 * width;
    stack.layers.push_back({make(from), make(from)});
  }
  return stack;
}

}  // namespace unroll::tests
