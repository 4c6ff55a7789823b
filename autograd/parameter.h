// What is learned, and the gradients of one or several passes.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "autograd/tensor/tensor.h"

namespace unroll::autograd {

/// A named tensor that outlives tapes. A model may be moved while an optimiser or a tape refers to its
/// parameters. A copy is a new, independent parameter; a copy assigned to a parameter changes its value and
/// nothing else, so that `model = best` keeps an optimiser valid. Between the forward and the backward of a
/// pass that reads it, it must neither change nor die, nor move if the pass computes steps again: backward
/// throws Error that names what changed it, and where.
class Parameter {
 public:
  /// What stands for a parameter in tapes, gradients and optimisers. It is theirs, too, so that its address
  /// is never another's while one of them knows it.
  struct Leaf : std::enable_shared_from_this<Leaf> {
    std::string name;
    Tensor value;  // empty when the parameter has died
    bool trainable = true;
    bool alive = true;
    const Parameter* owner = nullptr;  // where it is now
    std::uint64_t version = 0;         // how often it was changed
    const char* changed_by = "";
    SourceLocation changed_at;

    /// Notes that somebody is about to change the value.
    void change(const char* by, SourceLocation location);
  };

  Parameter() : Parameter("parameter", Shape{0}) {}
  Parameter(std::string name, const Shape& shape, DType dtype = DType::f32);
  Parameter(const Parameter& other);
  Parameter& operator=(const Parameter& other);
  Parameter(Parameter&& other) noexcept : leaf_(std::move(other.leaf_)) { own(); }
  Parameter& operator=(Parameter&& other) noexcept;
  ~Parameter() { die(); }

  /// These throw Error for a parameter that was moved elsewhere.
  const std::string& name() const { return live().name; }
  const Shape& shape() const { return live().value.shape(); }
  const Tensor& value() const { return live().value; }
  /// To be changed: a pass that has read it can walk back no more. Read it by std::as_const(p).value() there.
  Tensor& value(SourceLocation location = SourceLocation::current()) {
    return change("Parameter::value", location);
  }
  /// The same, for those who have a name: "Optimiser::step".
  Tensor& change(const char* by, SourceLocation location) {
    live().change(by, location);
    return leaf_->value;
  }
  /// A frozen parameter takes part in passes but gets no gradient.
  bool trainable() const { return live().trainable; }
  void freeze(bool frozen = true) { live().trainable = !frozen; }

  const std::shared_ptr<Leaf>& leaf() const { return leaf_; }
  /// How often any parameter was changed or died: while this stays, all have the values that they had.
  static std::uint64_t changes() { return changes_.load(std::memory_order_relaxed); }

 private:
  Leaf& live() const {
    if (!leaf_) [[unlikely]]
      reject_moved();
    return *leaf_;
  }
  [[noreturn]] static void reject_moved();
  void die() noexcept;
  void own() noexcept {
    if (leaf_) leaf_->owner = this;
  }

  static std::atomic<std::uint64_t> changes_;
  std::shared_ptr<Leaf> leaf_;
};

/// A parameter and its path in a model, "encoder.forward.weight_hh".
struct NamedParameter {
  std::string path;
  Parameter* parameter;
};

/// Gradients by parameter, added up over the passes since clear(). Owned by whoever runs the passes, so that
/// several tapes on several threads can work on one model. Buffers are kept by clear().
class Gradients {
 public:
  /// The gradient of one parameter. Either dense, or only in some rows (a looked-up embedding): then `buffer`
  /// is zero in all other rows, `rows` lists the touched ones in order of their first use.
  class Entry {
   public:
    enum class State { none, rows, dense };

    const Parameter::Leaf& parameter() const { return *leaf_; }
    State state() const { return state_; }
    const Tensor& buffer() const { return buffer_; }
    Tensor& buffer() { return buffer_; }
    std::span<const int> rows() const { return rows_; }

    /// Says that every element will be written or added to. True if the content was undefined so far.
    bool touch_all();
    /// Says that rows may be added to, or none.
    void touch_rows();
    /// Says that row `r` will be added to; it is zero if this is the first time.
    void touch_row(int r);

   private:
    friend class Gradients;
    void zero_rows();

    std::shared_ptr<const Parameter::Leaf> leaf_;
    Tensor buffer_;
    State state_ = State::none;
    bool zero_elsewhere_ = true;  // outside `rows_` the buffer is zero
    std::vector<int> rows_;
    std::vector<bool> is_touched_;
  };

  /// The entry of a parameter, made when missing. Entries never move.
  Entry& of(const std::shared_ptr<const Parameter::Leaf>& leaf, DType dtype);
  /// nullptr if no gradient reached the parameter since clear().
  const Entry* find(const Parameter& parameter) const { return find(parameter.leaf().get()); }
  const Entry* find(const Parameter::Leaf* leaf) const;
  Entry* find(const Parameter::Leaf* leaf);
  /// The gradient as a tensor of its own; throws Error if there is none.
  Tensor dense(const Parameter& parameter, SourceLocation location = SourceLocation::current()) const;

  /// Forgets all gradients, keeps the memory of those whose parameters live.
  void clear();
  /// Calls f(Entry&) for every parameter that has a gradient, in the order in which they were first seen.
  template <class F>
  void each(F&& f) {
    for (auto& entry : entries_)
      if (entry->state_ != Entry::State::none) f(*entry);
  }
  template <class F>
  void each(F&& f) const {
    for (const auto& entry : entries_)
      if (entry->state_ != Entry::State::none) f(std::as_const(*entry));
  }
  bool any() const;

 private:
  std::vector<std::unique_ptr<Entry>> entries_;
  std::unordered_map<const Parameter::Leaf*, Entry*> index_;
};

}  // namespace unroll::autograd

namespace unroll {
using autograd::Gradients;
using autograd::NamedParameter;
using autograd::Parameter;
}  // namespace unroll
