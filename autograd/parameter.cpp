#include "autograd/parameter.h"

#include <fmt/format.h>

#include <cstring>
#include <utility>

namespace unroll::autograd {

std::atomic<std::uint64_t> Parameter::changes_ = 0;

void Parameter::Leaf::change(const char* by, SourceLocation location) {
  ++version;
  changed_by = by;
  changed_at = location;
  changes_.fetch_add(1, std::memory_order_relaxed);
}

Parameter::Parameter(std::string name, const Shape& shape, DType dtype) : leaf_(std::make_shared<Leaf>()) {
  own();
  leaf_->name = std::move(name);
  leaf_->value = Tensor(shape, dtype);
}

Parameter::Parameter(const Parameter& other) : Parameter(other.name(), Shape{0}) {
  leaf_->value = other.live().value;
  leaf_->trainable = other.live().trainable;
}

Parameter& Parameter::operator=(const Parameter& other) {
  if (this == &other) return *this;
  if (!leaf_) return *this = Parameter(other);
  const Leaf& from = other.live();
  leaf_->change("an assignment", {});
  leaf_->name = from.name;
  leaf_->value = from.value;
  leaf_->trainable = from.trainable;
  return *this;
}

Parameter& Parameter::operator=(Parameter&& other) noexcept {
  if (this == &other) return *this;
  die();
  leaf_ = std::move(other.leaf_);
  own();
  return *this;
}

// Those who know it still may find that it has gone.
void Parameter::die() noexcept {
  if (!leaf_) return;
  if (leaf_.use_count() > 1) {
    leaf_->change("its end of life", {});
    leaf_->alive = false;
    leaf_->value = {};
  }
  leaf_.reset();
}

void Parameter::reject_moved() {
  fail("parameter", "a parameter came that was moved elsewhere; needed the one it was moved to");
}

bool Gradients::Entry::touch_all() {
  const bool fresh = state_ == State::none;
  state_ = State::dense;
  zero_elsewhere_ = false;
  return fresh;
}

void Gradients::Entry::touch_rows() {
  if (state_ == State::dense) return;
  if (!zero_elsewhere_) {
    std::memset(buffer_.raw(), 0, buffer_.bytes());
    zero_elsewhere_ = true;
  }
  if (is_touched_.empty()) is_touched_.assign(static_cast<std::size_t>(buffer_.shape().rows()), false);
  state_ = State::rows;
}

void Gradients::Entry::touch_row(int r) {
  if (state_ == State::dense) return;
  touch_rows();
  if (is_touched_[static_cast<std::size_t>(r)]) return;
  is_touched_[static_cast<std::size_t>(r)] = true;
  rows_.push_back(r);
}

void Gradients::Entry::zero_rows() {
  const auto row_bytes = static_cast<std::size_t>(buffer_.shape().cols()) * size_of(buffer_.dtype());
  for (int r : rows_) {
    if (zero_elsewhere_) std::memset(buffer_.raw() + static_cast<std::size_t>(r) * row_bytes, 0, row_bytes);
    is_touched_[static_cast<std::size_t>(r)] = false;
  }
  rows_.clear();
}

Gradients::Entry& Gradients::of(const std::shared_ptr<const Parameter::Leaf>& known, DType dtype) {
  const Parameter::Leaf& leaf = *known;
  Entry*& slot = index_[&leaf];
  if (!slot) {
    slot = entries_.emplace_back(std::make_unique<Entry>()).get();
    slot->leaf_ = known;
  }
  if (slot->buffer_.empty() || slot->buffer_.shape() != leaf.value.shape() ||
      slot->buffer_.dtype() != dtype) {
    if (slot->state_ != Entry::State::none)
      fail("gradients",
           fmt::format("'{}' has a gradient of {} {}, and now one of {} {} came; call clear() between",
                       leaf.name, name_of(slot->buffer_.dtype()), to_string(slot->buffer_.shape()),
                       name_of(dtype), to_string(leaf.value.shape())));
    slot->buffer_ = Tensor(leaf.value.shape(), dtype);
    slot->zero_elsewhere_ = true;
    slot->is_touched_.clear();
  }
  return *slot;
}

const Gradients::Entry* Gradients::find(const Parameter::Leaf* leaf) const {
  auto it = index_.find(leaf);
  return it == index_.end() || it->second->state_ == Entry::State::none ? nullptr : it->second;
}

Gradients::Entry* Gradients::find(const Parameter::Leaf* leaf) {
  return const_cast<Entry*>(std::as_const(*this).find(leaf));
}

Tensor Gradients::dense(const Parameter& parameter, SourceLocation location) const {
  const Entry* entry = find(parameter);
  if (!entry)
    fail("gradients",
         fmt::format("'{}' has no gradient; needed a backward pass that reaches it", parameter.name()),
         location);
  return entry->buffer();
}

void Gradients::clear() {
  std::erase_if(entries_, [&](const auto& entry) {
    if (entry->leaf_->alive) return false;
    index_.erase(entry->leaf_.get());
    return true;
  });
  for (auto& entry : entries_) {
    entry->zero_rows();
    entry->state_ = Entry::State::none;
  }
}

bool Gradients::any() const {
  for (const auto& entry : entries_)
    if (entry->state_ != Entry::State::none) return true;
  return false;
}

}  // namespace unroll::autograd
