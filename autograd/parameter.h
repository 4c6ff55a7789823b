// What is learned, and the gradients of one or several passes.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "autograd/tensor/tensor.h"

namespace unroll::autograd {

/// A named tensor that outlives tapes; read-only during a pass. Its address as a leaf is stable: a model may
/// be moved while an optimiser or a tape refers to its parameters. A copy is a new, independent parameter; a
/// copy assigned to a parameter changes what its leaf holds, so that `model = best` keeps an optimiser valid.
class Parameter {
 public:
  struct Leaf {
    std::string name;
    Tensor value;
    bool trainable = true;
  };

  Parameter() : Parameter("parameter", Shape{0}) {}
  Parameter(std::string name, const Shape& shape, DType dtype = DType::f32)
      : leaf_(std::make_unique<Leaf>(Leaf{std::move(name), Tensor(shape, dtype), true})) {}
  Parameter(const Parameter& other) : leaf_(std::make_unique<Leaf>(*other.leaf_)) {}
  Parameter& operator=(const Parameter& other);
  Parameter(Parameter&&) noexcept = default;
  Parameter& operator=(Parameter&&) noexcept = default;

  const std::string& name() const { return leaf_->name; }
  const Shape& shape() const { return leaf_->value.shape(); }
  Tensor& value() { return leaf_->value; }
  const Tensor& value() const { return leaf_->value; }
  /// A frozen parameter takes part in passes but gets no gradient.
  bool trainable() const { return leaf_->trainable; }
  void freeze(bool frozen = true) { leaf_->trainable = !frozen; }

  const Leaf* leaf() const { return leaf_.get(); }
  Leaf* leaf() { return leaf_.get(); }

 private:
  std::unique_ptr<Leaf> leaf_;
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
    /// Says that row `r` will be added to; it is zero if this is the first time.
    void touch_row(int r);

   private:
    friend class Gradients;
    void zero_rows();

    const Parameter::Leaf* leaf_ = nullptr;
    Tensor buffer_;
    State state_ = State::none;
    bool zero_elsewhere_ = true;  // outside `rows_` the buffer is zero
    std::vector<int> rows_;
    std::vector<bool> is_touched_;
  };

  /// The entry of a parameter, made when missing. Entries never move.
  Entry& of(const Parameter::Leaf& leaf, DType dtype);
  /// nullptr if no gradient reached the parameter since clear().
  const Entry* find(const Parameter& parameter) const { return find(parameter.leaf()); }
  const Entry* find(const Parameter::Leaf* leaf) const;
  Entry* find(const Parameter::Leaf* leaf);
  /// The gradient as a tensor of its own; throws Error if there is none.
  Tensor dense(const Parameter& parameter) const;

  /// Forgets all gradients, keeps the memory.
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
