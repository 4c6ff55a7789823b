// What a time step costs, counted: nodes, values and bytes of the tape. Seconds are the business of
// tests/bench; these counts change with the code alone.
#include <doctest/doctest.h>

#include "nn/nn.h"
#include "tests/nn/users_lstm.h"

using namespace unroll;

namespace {

constexpr Index kIn = 16, kHidden = 32, kBatch = 4;
constexpr std::size_t kState = kBatch * kHidden * sizeof(float);  // bytes of one [B, H]

struct Cost {
  std::size_t nodes, values, bytes;
  bool operator==(const Cost&) const = default;
};

template <class C>
Cost cost(const C& cell, Index steps) {
  Tape tape;
  const Layout layout = Layout::uniform(kBatch, steps);
  scan(cell, PackedSequence{tape.zeros({steps * kBatch, kIn}), &layout});
  return {tape.nodes().size(), tape.values().size(), tape.arena().used()};
}

// Of one step among many, its part of what is done for all steps at once included.
template <class C>
Cost cost_of_step() {
  Generator random(1);
  const C cell(kIn, kHidden, random);
  constexpr Index steps = 64;  // so that what is rounded up per pass does not count
  const Cost once = cost(cell, steps), twice = cost(cell, 2 * steps);
  return {(twice.nodes - once.nodes) / steps, (twice.values - once.values) / steps,
          (twice.bytes - once.bytes) / steps};
}

// Bytes of forward and backward at their peak that a step of 64 units and 16 sequences adds, in states [16,
// 64].
template <class C>
double states_to_train_a_step() {
  constexpr Index hidden = 64, batch = 16, steps = 64;
  Generator random(1);
  const C cell(hidden, hidden, random);
  const Tensor xs({2 * steps * batch, hidden});
  auto bytes = [&](Index count) {
    Tape tape;
    Gradients gradients;
    const Layout layout = Layout::uniform(batch, count);
    const Var rows = tape.rows(tape.borrow(xs), 0, count * batch);
    tape.backward(ops::sum(scan(cell, PackedSequence{rows, &layout}).outputs.rows), gradients);
    return static_cast<double>(tape.arena().used() + tape.pool().peak());
  };
  return (bytes(2 * steps) - bytes(steps)) / static_cast<double>(steps * batch * hidden * sizeof(float));
}

// Bytes from the heap for forward and backward of the loss of so many rows.
std::size_t memory_of_loss(Index rows) {
  constexpr Index hidden = 8, classes = 3000;
  Generator random(1);
  const Linear output(hidden, classes, random);
  const Tensor x({rows, hidden});
  const std::vector<int> targets(static_cast<std::size_t>(rows), 7);
  Tape tape;
  Gradients gradients;
  tape.backward(linear_cross_entropy(tape.constant(x), output.weight, output.bias, targets), gradients);
  return tape.memory();
}

}  // namespace

// Columns of the input, the gates' sums and the new states, and at most 768 bytes for the records of two ops
// and what is rounded up.
TEST_CASE("a step of a cell is two nodes, and keeps little but its gates and its state") {
  constexpr std::size_t input = kBatch * kIn * sizeof(float), records = 768;
  const Cost elman = cost_of_step<Elman>(), gru = cost_of_step<Gru>(), lstm = cost_of_step<Lstm>();
  CHECK(elman.nodes <= 2);
  CHECK(elman.values <= 4);
  CHECK(elman.bytes <= input + 2 * kState + records);
  CHECK(gru.nodes <= 2);
  CHECK(gru.values <= 9);
  CHECK(gru.bytes <= input + 7 * kState + records);
  CHECK(lstm.nodes <= 2);
  CHECK(lstm.values <= 8);
  CHECK(lstm.bytes <= input + 6 * kState + records);
}

// The gates' sums, in whose place their gradients lie; the states, of which h is the output; the gradient of
// the outputs; and less than half a state for records.
TEST_CASE("training takes no second copy of gates or outputs") {
  CHECK(states_to_train_a_step<Elman>() < 1 + 1 + 1 + 0.5);
  CHECK(states_to_train_a_step<Gru>() < 3 + 3 + 1 + 1 + 0.5);
  CHECK(states_to_train_a_step<Lstm>() < 4 + 2 + 1 + 0.5);
  CHECK(states_to_train_a_step<UsersLstm>() < 4 + 2 + 1 + 0.5);
}

TEST_CASE("a user's LSTM costs what ours does, to the byte") {
  CHECK(cost_of_step<UsersLstm>() == cost_of_step<Lstm>());
}

// More rows are more of their own gradients, and of their targets; the logits, [rows, classes], never exist.
TEST_CASE("the fused loss takes no memory for logits") {
  const std::size_t few = memory_of_loss(400), many = memory_of_loss(40'000);
  CHECK(many - few <= 39'600 * 16 * sizeof(float));
}
