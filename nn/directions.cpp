#include "nn/directions.h"

#include "autograd/system/thread_pool.h"

namespace unroll::nn::detail {

Var beside(Var a, Var b) { return ops::concat({a, b}, 1); }

bool has_threads(const Tape& tape) {
  return tape.thread_pool() && tape.thread_pool()->size() > 1 && !tape.attended() && !tape.dry();
}

// In multiplications of one gate, of which a step's nodes cost as much as a thousand: from about 10 steps of
// 32 units on it pays (docs/design/speed.md).
bool worth_a_thread(const PackedSequence& xs, Index width) {
  const Layout& layout = *xs.layout;
  return 1000 * layout.steps() + layout.rows() * width * (xs.rows.cols() + width) >= 30000;
}

}  // namespace unroll::nn::detail
