#include "nn/optimiser.h"

#include <fmt/format.h>

#include <cmath>
#include <string>
#include <string_view>
#include <unordered_set>

namespace unroll::nn {

using autograd::fail;

namespace {

// -- Names of the state of each rule, in the order of ops/update.h.

using Names = std::vector<const char*>;
Names state_names(const Sgd& r) { return r.momentum == 0 ? Names{} : Names{"velocity"}; }
Names state_names(const RmsProp& r) {
  return r.momentum == 0 ? Names{"square"} : Names{"square", "velocity"};
}
Names state_names(const Adagrad&) { return {"square"}; }
Names state_names(const Adam&) { return {"mean", "square"}; }
Names state_names(const AdamW&) { return {"mean", "square"}; }
Names names_of(const Rule& rule) {
  return std::visit([](const auto& r) { return state_names(r); }, rule);
}

// -- What a rule does in step number `step`, from 1, at learning rate `rate`.

ops::Update update_of(const Sgd& r, double rate, std::int64_t) {
  return ops::SgdUpdate{rate, r.weight_decay, r.momentum, r.nesterov};
}
ops::Update update_of(const RmsProp& r, double rate, std::int64_t) {
  return ops::RmspropUpdate{rate, r.weight_decay, r.smoothing, r.epsilon, r.momentum};
}
ops::Update update_of(const Adagrad& r, double rate, std::int64_t) {
  return ops::AdagradUpdate{rate, r.weight_decay, r.epsilon};
}
template <class AnyAdam>
ops::AdamUpdate adam_update(const AnyAdam& r, double rate, std::int64_t step) {
  const auto t = static_cast<double>(step);
  return {rate, 0, 0, r.beta1, r.beta2, 1 - std::pow(r.beta1, t), 1 - std::pow(r.beta2, t), r.epsilon};
}
ops::Update update_of(const Adam& r, double rate, std::int64_t step) {
  ops::AdamUpdate update = adam_update(r, rate, step);
  update.decay = r.weight_decay;
  return update;
}
ops::Update update_of(const AdamW& r, double rate, std::int64_t step) {
  ops::AdamUpdate update = adam_update(r, rate, step);
  update.shrink = rate * r.weight_decay;
  return update;
}

// -- Settings.

class Settings {
 public:
  explicit Settings(SourceLocation location) : location_(location) {}
  void at_least_0(const char* name, double x) const {
    within(name, x, 0 <= x && x < 0x1p53, "0 or more, and finite");
  }
  void positive(const char* name, double x) const { within(name, x, 0 < x && std::isfinite(x), "above 0"); }
  void below_1(const char* name, double x) const { within(name, x, 0 <= x && x < 1, "0 <= x < 1"); }
  void within(const char* name, double x, bool good, const char* needed) const {
    if (!good) fail("optimiser", fmt::format("{} of {} came; needed {}", name, x, needed), location_);
  }

 private:
  SourceLocation location_;
};

void check_rule(const Rule& rule, SourceLocation location) {
  const Settings settings(location);
  std::visit(
      [&](const auto& r) {
        settings.at_least_0("a learning rate", r.learning_rate);
        settings.at_least_0("a weight decay", r.weight_decay);
        if constexpr (requires { r.momentum; }) settings.below_1("a momentum", r.momentum);
        if constexpr (requires { r.smoothing; }) settings.below_1("a smoothing", r.smoothing);
        if constexpr (requires { r.epsilon; }) settings.positive("an epsilon", r.epsilon);
        if constexpr (requires { r.beta1; }) settings.below_1("a beta1", r.beta1);
        if constexpr (requires { r.beta2; }) settings.below_1("a beta2", r.beta2);
        if constexpr (requires { r.nesterov; })
          settings.within("a momentum", r.momentum, !r.nesterov || r.momentum > 0,
                          "more than 0 for Nesterov's");
      },
      rule);
}

void append(std::string& list, const std::string& name) {
  list += fmt::format("{}{}", list.empty() ? "" : ", ", in_quotes(name));
}

}  // namespace

void Optimiser::add(std::span<const NamedParameter> parameters, const Rule& rule, SourceLocation location) {
  check_rule(rule, location);
  if (parameters.empty()) fail("optimiser", "no parameters came; needed one or more", location);
  // All is checked before anything is changed.
  std::unordered_set<const Parameter::Leaf*> leaves;
  std::unordered_set<std::string_view> paths;
  for (const Held& held : held_) leaves.insert(held.leaf.get()), paths.insert(held.path);
  for (const auto& [path, p] : parameters) {
    if (!leaves.insert(p->leaf().get()).second)
      fail("optimiser", fmt::format("{} came twice; needed each parameter in one group", in_quotes(path)),
           location);
    if (!paths.insert(path).second)
      fail("optimiser",
           fmt::format("two parameters called {} came; needed a name for each: select groups from one model, "
                       "as in parameters(model, \"head\")",
                       in_quotes(path)),
           location);
  }
  for (const auto& [path, p] : parameters) {
    index_.emplace(p->leaf().get(), held_.size());
    Held held{path, p->leaf(), groups_.size(), {}};
    for (std::size_t i = 0; i < names_of(rule).size(); ++i)
      held.state.emplace_back(p->shape(), std::as_const(*p).value().dtype());
    held_.push_back(std::move(held));
  }
  groups_.push_back(rule);
  updates_.resize(groups_.size());
}

// -- A step.

void Optimiser::check_entry(const Gradients::Entry& entry, SourceLocation location) const {
  const Parameter::Leaf& leaf = entry.parameter();
  const Held& held = held_[index_.at(&leaf)];
  auto describe = [](const Tensor& t) {
    return fmt::format("{} {}", name_of(t.dtype()), to_string(t.shape()));
  };
  if (entry.buffer().dtype() != leaf.value.dtype() || entry.buffer().shape() != leaf.value.shape())
    fail("optimiser",
         fmt::format("the gradient of {} is {} and the parameter {}; needed the same: use a tape of the "
                     "model's dtype, or convert() the model",
                     in_quotes(held.path), describe(entry.buffer()), describe(leaf.value)),
         location);
  for (const Tensor& part : held.state)
    if (part.shape() != leaf.value.shape())
      fail("optimiser",
           fmt::format("{} was {} when it was added and is {} now; needed the same shape",
                       in_quotes(held.path), to_string(part.shape()), to_string(leaf.value.shape())),
           location);
}

void Optimiser::check(const Gradients& gradients, Missing missing, SourceLocation location) const {
  std::string unknown, without, dead;
  for (const Held& held : held_)
    if (!held.leaf->alive) append(dead, held.path);
  if (!dead.empty())
    fail("optimiser",
         fmt::format("{} no longer lives; needed a model that lives as long as the optimiser", dead),
         location);
  gradients.each([&](const Gradients::Entry& entry) {
    if (!entry.parameter().trainable) return;
    if (index_.contains(&entry.parameter()))
      check_entry(entry, location);
    else
      append(unknown, entry.parameter().name);
  });
  if (!unknown.empty())
    fail("optimiser",
         fmt::format("gradients came for {}, not among the optimiser's parameters; needed a group for them: "
                     "add() or freeze() them",
                     unknown),
         location);
  if (missing == Missing::skip) return;
  for (const Held& held : held_)
    if (held.leaf->trainable && !gradients.find(held.leaf.get())) append(without, held.path);
  if (!without.empty())
    fail("optimiser",
         fmt::format("no gradient came for {}; needed one for each trainable parameter: does the loss depend "
                     "on it? If it need not, freeze() it or call step(gradients, Missing::skip)",
                     without),
         location);
}

void Optimiser::step(const Gradients& gradients, Missing missing, SourceLocation location) {
  check(gradients, missing, location);
  ++steps_;
  for (std::size_t g = 0; g < groups_.size(); ++g)
    updates_[g] = std::visit([&](const auto& r) { return update_of(r, r.learning_rate * factor_, steps_); },
                             groups_[g]);
  for (Held& held : held_) {
    const Gradients::Entry* entry = gradients.find(held.leaf.get());
    if (!entry || !held.leaf->trainable) continue;
    held.leaf->change("Optimiser::step", location);
    Tensor& value = held.leaf->value;
    for (Tensor& part : held.state)
      if (part.dtype() != value.dtype()) part = part.to(value.dtype());
    if (entry->state() == Gradients::Entry::State::rows)
      ops::update_rows(updates_[held.group], entry->rows(), value, entry->buffer(), held.state);
    else
      ops::update(updates_[held.group], value, entry->buffer(), held.state);
  }
}

void Optimiser::set_factor(double factor, SourceLocation location) {
  Settings(location).at_least_0("a factor", factor);
  factor_ = factor;
}

double Optimiser::learning_rate(std::size_t group) const {
  return factor_ * std::visit([](const auto& r) { return r.learning_rate; }, groups_.at(group));
}

// -- State.

std::vector<Destination> Optimiser::parts() {
  std::vector<Destination> parts;
  for (Held& held : held_) {
    const Names names = names_of(groups_[held.group]);
    for (std::size_t i = 0; i < names.size(); ++i)
      parts.push_back({held.path + "." + names[i], &held.state[i]});
  }
  return parts;
}

std::vector<NamedTensor> Optimiser::state() const {
  std::vector<NamedTensor> state;
  state.push_back({"step", Tensor::from(Shape{}, {static_cast<double>(steps_)}, DType::f64)});
  state.push_back({"factor", Tensor::from(Shape{}, {factor_}, DType::f64)});
  for (const Destination& part : const_cast<Optimiser*>(this)->parts())
    state.push_back({part.name, *part.tensor});
  return state;
}

void Optimiser::load_state(std::span<const NamedTensor> state, SourceLocation location) {
  for (const NamedTensor& n : state)
    if ((n.name == "step" || n.name == "factor") && n.tensor.size() == 1)
      Settings(location).at_least_0(n.name == "step" ? "a step" : "a factor", n.tensor.at(0));
  Tensor step(Shape{}, DType::f64), factor(Shape{}, DType::f64);
  std::vector<Destination> into = parts();
  into.push_back({"step", &step});
  into.push_back({"factor", &factor});
  assign(state, into, "optimiser", "saved state", location);
  steps_ = static_cast<std::int64_t>(step.at(0));
  factor_ = factor.at(0);
}

}  // namespace unroll::nn
