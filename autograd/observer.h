// Whoever wants to see a pass as it happens. What autograd/inspect shows is seen through this.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "autograd/var.h"

namespace unroll::autograd {

/// What a node is doing: computing its outputs; adding to the gradients of its inputs, those of its outputs
/// being complete; or multiplying the products that were put off for the gradient of one of its inputs, with
/// those of all nodes before it (Backward::defer).
enum class Phase { forward, backward, deferred };
constexpr const char* name_of(Phase phase) {
  return phase == Phase::forward ? "forward" : phase == Phase::backward ? "backward" : "deferred";
}

/// A time step of a recurrence: of Tape::recurrence(), at Tape::time_step().
struct Step {
  bool reverse;                 // whether it goes from the last step to the first
  bool first;                   // in this order
  std::span<const Var> before;  // the state that it begins with, field by field
};

/// Told of a tape, and of the passes within its nodes that have them, while an Attachment lives
/// (Tape::attach). It may read the tape, not record on it. The nodes of a tape run one after the other, those
/// of a pass within a node within that. Nodes that no gradient reaches are not told of in backward, and those
/// that are computed again by a Replay not at all.
class Observer {
 public:
  virtual ~Observer() = default;
  /// Whether it may look at any value during or after a backward that began while it watched. They are kept
  /// then: else some gradients take the place of values (Tape::donate).
  virtual bool reads_values() const { return true; }
  virtual void begin(Tape&, std::uint32_t /*node*/, Phase) {}
  /// For every begin() that returned, either end() or abandoned() follows, and for no other.
  virtual void end(Tape&, std::uint32_t /*node*/, Phase) {}
  /// In place of end() if an exception is on its way out of the node. May not throw.
  virtual void abandoned(Tape&, std::uint32_t /*node*/, Phase) {}
  /// A recurrence is about to take the time step that the tape is at; what is recorded from here to state()
  /// is the step.
  virtual void step(Tape&, const Step&) {}
  /// The state of a recurrence after the time step that the tape is at.
  virtual void state(Tape&, std::span<const Var> /*fields*/) {}
};

/// Those who are told of a tape and of the passes within it. They may come and go at any time.
class Observers {
 public:
  void add(Observer& observer) { list_.push_back({&observer, nodes_}); }
  void remove(Observer& observer);
  /// Whether there is nobody to be told.
  bool empty() const { return list_.empty() || muted_; }
  bool read_values() const;
  template <class F>
  void tell(F f) {
    for (std::size_t i = 0; i < list_.size(); ++i)
      if (list_[i].observer) f(*list_[i].observer);
  }

  /// Nobody is told of anything while it lives.
  class Mute {
   public:
    explicit Mute(Observers& all) : all_(all), before_(all.muted_) { all.muted_ = true; }
    Mute(const Mute&) = delete;
    Mute& operator=(const Mute&) = delete;
    ~Mute() { all_.muted_ = before_; }

   private:
    Observers& all_;
    bool before_;
  };

  /// A node at work: those who were told that it begins are told of its end, in the reverse order.
  class NodeRun {
   public:
    NodeRun(Observers& all, Tape& tape, std::uint32_t node, Phase phase)
        : all_(all), tape_(tape), node_(node), phase_(phase), number_(all.nodes_++) {}
    NodeRun(const NodeRun&) = delete;
    NodeRun& operator=(const NodeRun&) = delete;
    ~NodeRun();
    void begin();
    void end();

   private:
    Observer* watcher(std::size_t i) const;
    Observers& all_;
    Tape& tape_;
    std::uint32_t node_;
    Phase phase_;
    std::uint64_t number_;
    std::size_t told_ = 0;  // the first so many of the list
  };

 private:
  struct Entry {
    Observer* observer;   // nullptr when it has gone: places in the list do not change
    std::uint64_t since;  // number of the first node that it is told of
  };
  std::vector<Entry> list_;
  std::uint64_t nodes_ = 0;
  bool muted_ = false;
};

/// For recurrences: tells the observers of a tape of a step, and of the state after it.
void announce_step(Tape& tape, const Step& step);
void announce_state(Tape& tape, std::span<const Var> fields);

/// Keeps an observer told while it lives.
class Attachment {
 public:
  Attachment(Tape& tape, Observer& observer);
  Attachment(const Attachment&) = delete;
  Attachment& operator=(const Attachment&) = delete;
  ~Attachment() { observers_.remove(observer_); }

 private:
  Observers& observers_;
  Observer& observer_;
};

}  // namespace unroll::autograd

namespace unroll {
using autograd::Observer;
}
