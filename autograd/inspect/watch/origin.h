// Where a NaN or an infinity was born.
//
//   if (auto origin = inspect::find_origin(tape, [&] { tape.backward(loss(tape), gradients); }))
//     std::cerr << origin->describe() << '\n';
//
//   log made -inf out of finite numbers, forward, step 7 of encoder.forward (cell.h:31): output 0 [8, 16], 3
//   elements, first [2, 5]; input 0 [8, 16] in [0, 1.25]
//
// The pass is run under watch: each operation's inputs and outputs are looked at as it happens, in backward
// what it adds to gradients. That costs a walk over all numbers, so it is for the pass that went wrong. A
// pass whose tape has been cleared is run again; the numbers are the same, if its generators are reset.
#pragma once
#include <array>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "autograd/tape.h"

namespace unroll::inspect {

using autograd::Index;
using autograd::Phase;
using autograd::Shape;
using autograd::Tape;

/// What is looked for: masks may hold infinities on purpose.
enum class Bad { nan, nan_or_infinity };

/// The first operation that made a bad number, or the first that a bad number of a leaf came through.
struct Origin {
  /// The numbers of an operand: the least and the largest that is no NaN (low > high if all are), and how
  /// many are bad.
  struct Range {
    double low, high;
    Index bad;
  };
  struct Operand {
    std::string name;  // "input 0", "gradient of output 0"
    Shape shape;
    Range range;
  };

  /// Empty if `op` made it out of good numbers. Otherwise what brought it: "parameter 'weight_hh'", "a
  /// constant", "a variable", "the seed of backward", "the gradient of 'bias' before this pass".
  std::string source;
  double number;  // NaN, or an infinity
  /// What it is in: a source, or an output or a gradient of an input of `op`, its shape, the position of the
  /// first bad element, and how many there are.
  std::string place;
  Shape shape;
  std::array<Index, Shape::kMaxRank> element;
  Index count;

  std::string op;
  Phase phase;
  std::string module;                 // path, see nn::enter
  std::int32_t step;                  // -1 outside of recurrences
  autograd::SourceLocation location;  // the line that called the op
  std::string line;                   // the same in words, see source_line(tape, node)
  std::vector<Operand> operands;      // what went into the operation in this phase

  /// One line.
  std::string describe() const;
};
void to_json(nlohmann::json& json, const Origin& origin);

/// The watch itself, for a tape that others run: attach it (Tape::attach). The first find stays. A pass that
/// is watched from its middle on can blame a node from before; a dry tape has no numbers.
class OriginWatch : public Observer {
 public:
  explicit OriginWatch(Bad bad = Bad::nan_or_infinity) : bad_(bad) {}
  const std::optional<Origin>& origin() const { return origin_; }

  void begin(Tape& tape, std::uint32_t node, Phase phase) override;
  void end(Tape& tape, std::uint32_t node, Phase phase) override;
  void abandoned(Tape& tape, std::uint32_t node, Phase phase) override;

 private:
  // An operation that has begun: of the tape, or of the inner tape of one that has begun.
  struct Running {
    Tape* tape;
    std::uint32_t node;
    std::vector<Origin::Operand> overwritten;  // inputs, as they were
    const std::byte* first_bad;                // in one of them
  };

  void end_forward(Tape& tape, std::uint32_t node);
  void begin_backward(Tape& tape, std::uint32_t node);
  void end_backward(Tape& tape, std::uint32_t node);
  void end_deferred(Tape& tape, std::uint32_t node);
  bool check_old_gradient(Tape& tape, std::uint32_t node, Phase phase, std::uint32_t id);
  Origin& found(Tape& tape, std::uint32_t node, Phase phase);
  void blame_input(Tape& tape, std::uint32_t input, const std::byte* number);
  void add_forward_operands(Tape& tape, std::uint32_t node);

  Bad bad_;
  std::vector<Running> running_;
  std::unordered_set<const void*> seen_;  // parameters whose gradients from before have been looked at
  std::optional<Origin> origin_;
};

/// Runs pass(), and returns where its first bad number came from, if there was one.
template <class F>
std::optional<Origin> find_origin(Tape& tape, F&& pass, Bad bad = Bad::nan_or_infinity) {
  OriginWatch watch(bad);
  const auto attached = tape.attach(watch);
  std::forward<F>(pass)();
  return watch.origin();
}

}  // namespace unroll::inspect
