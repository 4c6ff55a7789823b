#include "autograd/observer.h"

#include <algorithm>

#include "autograd/tape.h"

namespace unroll::autograd {

void Observers::remove(Observer& observer) {
  const auto it = std::ranges::find(list_, &observer, &Entry::observer);
  if (it != list_.end()) it->observer = nullptr;
  while (!list_.empty() && !list_.back().observer) list_.pop_back();
}

bool Observers::read_values() const {
  return std::ranges::any_of(list_, [](const Entry& e) { return e.observer && e.observer->reads_values(); });
}

// Who came later than the node began is not told of it.
Observer* Observers::NodeRun::watcher(std::size_t i) const {
  return i < all_.list_.size() && all_.list_[i].since <= number_ ? all_.list_[i].observer : nullptr;
}

void Observers::NodeRun::begin() {
  for (; told_ < all_.list_.size(); ++told_)
    if (Observer* o = watcher(told_)) o->begin(tape_, node_, phase_);
}

void Observers::NodeRun::end() {
  while (told_ > 0)
    if (Observer* o = watcher(--told_)) o->end(tape_, node_, phase_);
}

Observers::NodeRun::~NodeRun() {
  while (told_ > 0)
    if (Observer* o = watcher(--told_)) o->abandoned(tape_, node_, phase_);
}

Attachment::Attachment(Tape& tape, Observer& observer)
    : observers_(*tape.context().observers), observer_(observer) {
  observers_.add(observer);
}

void announce_step(Tape& tape, const Step& step) {
  tape.context().observers->tell([&](Observer& o) { o.step(tape, step); });
}
void announce_state(Tape& tape, std::span<const Var> fields) {
  tape.context().observers->tell([&](Observer& o) { o.state(tape, fields); });
}

}  // namespace unroll::autograd
