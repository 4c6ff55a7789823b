// What memory passes take, when they take the most, and for what.
//
//   inspect::Memory memory;
//   {
//     const auto attached = tape.attach(memory);
//     ... passes ...
//   }
//   std::cout << to_string(memory);
//
// Counted are the bytes of a tape (Tape::usage) and of the inner tapes of recomputed segments. Parameters and
// their gradients are not a tape's: they outlive it.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "autograd/inspect/figures/places.h"
#include "autograd/op.h"

namespace unroll::inspect {

using autograd::Phase;
using autograd::Tape;

/// Watches one tape, from the beginning of a pass on. Keeps some 150 bytes for each node of it.
class Memory : public Observer {
 public:
  /// values: what forward keeps, with leaves and records; packed: copies of weights in the layout of
  /// products; scratch: what a node takes only while it works.
  enum class Kind { values, gradients, packed, scratch };
  struct Row {
    ModuleOp place;
    Kind kind;
    std::size_t bytes;
    std::vector<std::uint32_t>
        nodes;  // whose they are, on their tape: a recomputed segment's is an inner one
    std::int32_t first_step, last_step;  // of those nodes; -1 outside of recurrences
  };
  /// A phase of a node, and the most that was in use at one moment in it.
  struct Moment {
    std::uint32_t node = 0;
    Phase phase = Phase::forward;
    std::size_t bytes = 0;
  };
  struct Peak {
    Moment at;
    ModuleOp place;
    std::int32_t step = -1;
    std::vector<Row> alive;  // the largest first; they add up to the bytes of the moment
  };
  /// Of all passes seen.
  Peak peak() const;
  /// Of the pass seen last.
  const std::vector<Moment>& timeline() const { return timeline_; }

  /// Forgets all.
  void clear();

  bool reads_values() const override { return false; }
  void begin(Tape& tape, std::uint32_t node, Phase phase) override;
  void end(Tape& tape, std::uint32_t node, Phase phase) override;
  void abandoned(Tape& tape, std::uint32_t node, Phase phase) override;

 private:
  struct Entry {
    std::uint32_t node, place;
    std::int32_t step;
    Kind kind;
    std::int64_t bytes;  // negative where they go
  };
  // What is alive of one kind.
  struct Held {
    std::vector<Entry> entries;
    std::int64_t bytes = 0;
  };
  // What is alive of gradients, found by buffer.
  class Gradients {
   public:
    bool contains(std::uint32_t buffer) const { return buffer < slots_.size() && slots_[buffer] > 0; }
    void add(std::uint32_t buffer, const Entry& entry);
    Entry take(std::uint32_t buffer);
    const std::vector<std::uint32_t>& roots() const { return roots_; }
    std::int64_t bytes() const { return bytes_; }

   private:
    std::vector<std::uint32_t> slots_;  // by buffer: position + 1 in the others, or 0
    std::vector<std::uint32_t> roots_;
    std::vector<Entry> entries_;
    std::int64_t bytes_ = 0;
  };
  // The outermost tape, or one inside of a node.
  struct Level {
    Held values, packed;  // in the order in which they came
    Gradients gradients;
    std::uint32_t last_node = autograd::kNone;  // of backward
  };
  struct Open {
    const Tape* tape;
    Entry node;
    std::size_t most;  // in use inside of it
  };

  Entry entry_of(const Tape& tape, std::uint32_t node);
  void start_pass();
  void hold(Held& held, Entry entry, std::size_t now);
  void let_go(Held& held);
  void drop_values(Level& level, std::uint32_t node);
  void find_values(Level& level, const Tape& tape, Entry node);
  void find_gradients(Level& level, const Tape& tape, const Entry& node, Phase phase);
  void find_gradient(Level& level, const Tape& tape, std::uint32_t value);
  void drop_gradients(Level& level, const Tape& tape);
  void drop_gradient(Level& level, const Tape& tape, std::uint32_t buffer);
  void drop_level();
  Peak resolve() const;

  Places places_;
  const Tape* tape_ = nullptr;
  std::uint32_t pass_ = 0;
  std::vector<Level> levels_;
  std::vector<Open> open_;
  std::vector<Entry> log_;  // what came and went in this pass
  // At the peak of this pass:
  Moment at_;
  Entry at_node_{};
  std::size_t logged_ = 0;  // entries of the log up to then
  std::vector<Entry> scratch_;
  Peak largest_;  // of earlier passes
  std::vector<Moment> timeline_;
};

/// Where the peak is, and what is alive at it.
std::string to_string(const Memory& memory, std::size_t most = 25);
/// {"peak_bytes", "at": {"op", "module", "step", "phase", "node"},
///  "alive": [{"op", "module", "kind", "bytes", "nodes": [number...], "steps": [first, last] or null}],
///  "modules": [{"module", "bytes"}],          of what is alive, each with what is in it
///  "timeline": [[node, phase, bytes]]}, of which the timeline has some hundred moments at most, each the
/// largest of its neighbourhood.
void to_json(nlohmann::json& json, const Memory& memory);

}  // namespace unroll::inspect
