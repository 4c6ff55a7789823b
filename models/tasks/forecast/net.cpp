#include "models/tasks/forecast/net.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace unroll::models {

Forecaster::Forecaster(const ForecasterOptions& options, Generator& generator)
    : encoder(static_cast<Index>(options.inputs.size()), options.net, generator),
      pooling(options.net.pool, encoder.width(), generator),
      dropout{options.net.dropout},
      output(encoder.width(), options.horizon * static_cast<Index>(options.targets.size()), generator) {}

Var Forecaster::operator()(Var rows, const ops::Layout& layout, Generator* noise) const {
  const auto scope = enter(rows.tape(), *this, "");
  return output(dropout(encoder({rows, &layout}, pooling, noise), noise));
}

SavedForecaster::SavedForecaster(const ForecasterOptions& o, Scaling s, Generator& generator)
    : options(o), scaling(std::move(s)), net(options, generator) {
  for (const std::string& target : options.targets) {
    const auto it = std::ranges::find(options.inputs, target);
    if (it == options.inputs.end())
      autograd::fail("forecast", fmt::format("the target '{}' came, which is no input; needed some of {}",
                                             target, fmt::join(options.inputs, ", ")));
    columns_.push_back(static_cast<std::size_t>(it - options.inputs.begin()));
  }
}

ModelCard card_of(const SavedForecaster& f) {
  ModelCard card{.kind = kForecaster,
                 .configuration = {},
                 .lists = {{"inputs", f.options.inputs}, {"targets", f.options.targets}}};
  card.configuration["means"] = f.scaling.means;
  card.configuration["deviations"] = f.scaling.deviations;
  describe(card.configuration, f.options, without(f.options.net, {"embed"}));
  return card;
}

void save_forecaster(const std::string& path, SavedForecaster& forecaster) {
  save_model(path, card_of(forecaster), parameters(forecaster));
}

SavedForecaster load_forecaster(const std::string& path) {
  const SavedModel saved(path, kForecaster);
  ForecasterOptions options{.inputs = saved.list("inputs"), .targets = saved.list("targets")};
  read_settings(saved, options, without(options.net, {"embed"}));
  const Scaling scaling{saved.numbers("means"), saved.numbers("deviations")};
  if (options.targets.empty() || scaling.means.size() != options.inputs.size() ||
      scaling.deviations.size() != options.inputs.size())
    saved.reject(
        "has a scaling that is not what unroll writes; needed a mean and a deviation for each input");
  return saved.filled([&](Generator& unused) { return SavedForecaster(options, scaling, unused); });
}

}  // namespace unroll::models
