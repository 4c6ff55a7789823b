#include "autograd/observer.h"

#include <algorithm>

namespace unroll::autograd {

void Observers::remove(Observer& observer) {
  const auto it = std::ranges::find(list_, &observer, &Entry::observer);
  if (it != list_.end()) it->observer = nullptr;
  while (!list_.empty() && !list_.back().observer) list_.pop_back();
}

bool Observers::read_numbers() const {
  return std::ranges::any_of(list_, [](const Entry& e) { return e.observer && e.observer->reads_numbers(); });
}

// Who came later than the node began is not told of it.
Observer* Observers::Work::watcher(std::size_t i) const {
  return i < all_.list_.size() && all_.list_[i].since <= number_ ? all_.list_[i].observer : nullptr;
}

void Observers::Work::begin() {
  for (; told_ < all_.list_.size(); ++told_)
    if (Observer* o = watcher(told_)) o->begin(tape_, node_, phase_);
}

void Observers::Work::end() {
  while (told_ > 0)
    if (Observer* o = watcher(--told_)) o->end(tape_, node_, phase_);
}

Observers::Work::~Work() {
  while (told_ > 0)
    if (Observer* o = watcher(--told_)) o->abandoned(tape_, node_, phase_);
}

}  // namespace unroll::autograd
