#include "models/training/options.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

namespace unroll::models {

using autograd::fail;

nlohmann::json to_json(const TrainingOptions& o) {
  Configuration all = o.others;
  describe(all, o);
  nlohmann::json json = to_json(all);
  json["seed"] = o.seed;
  json["threads"] = o.threads;
  return json;
}

void TrainingOptions::check_optimizer(const std::string& name) { rule_named(name, 1); }
void TrainingOptions::check_schedule(const std::string& name) { EpochSchedule{name}; }

nn::Rule rule_named(const std::string& name, double learning_rate, double weight_decay) {
  constexpr double kMomentum = 0.9;
  if (name == "sgd") return nn::Sgd{.learning_rate = learning_rate, .weight_decay = weight_decay};
  if (name == "momentum" || name == "nesterov")
    return nn::Sgd{.learning_rate = learning_rate,
                   .momentum = kMomentum,
                   .nesterov = name == "nesterov",
                   .weight_decay = weight_decay};
  if (name == "rmsprop") return nn::RmsProp{.learning_rate = learning_rate, .weight_decay = weight_decay};
  if (name == "adagrad") return nn::Adagrad{.learning_rate = learning_rate, .weight_decay = weight_decay};
  if (name == "adam") return nn::Adam{.learning_rate = learning_rate, .weight_decay = weight_decay};
  if (name == "adamw") return nn::AdamW{.learning_rate = learning_rate, .weight_decay = weight_decay};
  fail("optimizer", fmt::format("{} came; needed sgd, momentum, nesterov, rmsprop, adagrad, adam or adamw",
                                nn::in_quotes(name)));
}

namespace {

constexpr double kCosineEnd = 0.05;

template <class N>
bool read_all(std::string_view text, N& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

// "N:F" into a whole number of at least 0 and a factor within (0, 1].
bool read_pair(std::string_view text, int& n, double& factor) {
  const std::size_t colon = text.find(':');
  return colon != std::string_view::npos && read_all(text.substr(0, colon), n) &&
         read_all(text.substr(colon + 1), factor) && n >= 0 && factor > 0 && factor <= 1;
}

}  // namespace

EpochSchedule::EpochSchedule(const std::string& name) {
  const std::string_view text = name;
  if (text == "constant") return;
  if (text == "cosine") {
    curve_ = Curve::cosine;
  } else if (text.starts_with("decay:") && read_pair(text.substr(6), after_, times_)) {
    curve_ = Curve::decay;
  } else if (text.starts_with("plateau:") && read_pair(text.substr(8), after_, times_) && times_ < 1) {
    curve_ = Curve::plateau;
    plateau_.emplace(nn::PlateauOptions{.factor = times_, .patience = after_});
  } else {
    fail("schedule", fmt::format("{} came; needed constant, cosine, decay:EPOCHS:FACTOR (0 < FACTOR <= 1) or "
                                 "plateau:EPOCHS:FACTOR (0 < FACTOR < 1)",
                                 nn::in_quotes(name)));
  }
}

double EpochSchedule::factor(int epoch, int epochs, Index batch, Index batches) const {
  switch (curve_) {
    case Curve::constant:
      return 1;
    case Curve::cosine:
      return nn::Schedule::cosine(batches * epochs, kCosineEnd)(batches * (epoch - 1) + batch);
    case Curve::decay:
      return std::pow(times_, std::max(epoch - after_, 0));
    case Curve::plateau:
      return plateau_->factor();
  }
  return 1;
}

std::vector<NamedTensor> EpochSchedule::state() const {
  return plateau_ ? plateau_->state() : std::vector<NamedTensor>();
}

void EpochSchedule::load_state(std::span<const NamedTensor> state) {
  if (plateau_)
    plateau_->load_state(state);
  else if (!state.empty())
    fail("schedule", "the state of a plateau came; needed none for this schedule");
}

}  // namespace unroll::models
