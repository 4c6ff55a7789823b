// A stack of recurrent layers whose cell and directions are chosen when the program runs. Whoever knows them
// when the program is written takes nn::Stack itself.
#pragma once
#include <variant>

#include "models/tasks/net_options.h"

namespace unroll::models {

class Encoder {
 public:
  Encoder() = default;
  /// `last`: units of the last layer, if they differ; else 0.
  Encoder(Index in, const NetOptions& options, Generator& generator, Index last = 0);

  /// Columns of what comes out.
  Index width() const { return width_; }
  nn::PackedSequence operator()(const nn::PackedSequence& xs, Generator* noise = nullptr) const;
  /// From the state in `from`, leaving the state after xs in `to`, which may be the same. Throws Error if
  /// bidirectional.
  nn::PackedSequence operator()(const nn::PackedSequence& xs, const nn::Carry& from, nn::Carry& to,
                                Generator* noise = nullptr) const;
  /// One row a sequence, [B, width()].
  Var operator()(const nn::PackedSequence& xs, const nn::Pooling& pooling, Generator* noise = nullptr) const;
  /// Biases for memories that last up to `longest` steps: nn::initialise::chrono() for LSTMs, the same
  /// distribution for the update gate of GRUs. Throws Error for Elman cells, which have no gates.
  void remember(Index longest, Generator& generator);
  void members(Members& m) {
    std::visit([&](auto& stack) { m(stack); }, stack_);
  }

 private:
  template <class C>
  using There = nn::Stack<nn::Unidirectional<C>>;
  template <class C>
  using Both = nn::Stack<nn::Bidirectional<C>>;

  std::variant<There<nn::Elman>, There<nn::Gru>, There<nn::Lstm>, Both<nn::Elman>, Both<nn::Gru>,
               Both<nn::Lstm>>
      stack_;
  Index width_ = 0;
};

}  // namespace unroll::models

namespace unroll {
using models::Encoder;
}
