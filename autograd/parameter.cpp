#include "autograd/parameter.h"

#include <fmt/format.h>

#include <cstring>
#include <utility>

namespace unroll::autograd {

Parameter& Parameter::operator=(const Parameter& other) {
  if (leaf_)
    *leaf_ = *other.leaf_;
  else
    leaf_ = std::make_unique<Leaf>(*other.leaf_);
  return *this;
}

bool Gradients::Entry::touch_all() {
  const bool fresh = state_ == State::none;
  state_ = State::dense;
  zero_elsewhere_ = false;
  return fresh;
}

void Gradients::Entry::touch_row(int r) {
  if (state_ == State::dense) return;
  if (!zero_elsewhere_) {
    std::memset(buffer_.raw(), 0, buffer_.bytes());
    zero_elsewhere_ = true;
  }
  if (is_touched_.empty()) is_touched_.assign(static_cast<std::size_t>(buffer_.shape().rows()), false);
  state_ = State::rows;
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

Gradients::Entry& Gradients::of(const Parameter::Leaf& leaf, DType dtype) {
  Entry*& slot = index_[&leaf];
  if (!slot) {
    slot = entries_.emplace_back(std::make_unique<Entry>()).get();
    slot->leaf_ = &leaf;
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

Tensor Gradients::dense(const Parameter& parameter) const {
  const Entry* entry = find(parameter);
  if (!entry)
    fail("gradients",
         fmt::format("'{}' has no gradient; needed a backward pass that reaches it", parameter.name()));
  return entry->buffer();
}

void Gradients::clear() {
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
