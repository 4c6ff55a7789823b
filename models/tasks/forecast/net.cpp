#include "models/tasks/forecast/net.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

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

std::vector<std::size_t> AboutForecaster::target_columns() const {
  std::vector<std::size_t> columns;
  for (const std::string& target : options.targets) {
    const auto it = std::ranges::find(options.inputs, target);
    if (it == options.inputs.end())
      autograd::fail("forecast", fmt::format("the target '{}' came, which is no input; needed some of {}",
                                             target, fmt::join(options.inputs, ", ")));
    columns.push_back(static_cast<std::size_t>(it - options.inputs.begin()));
  }
  return columns;
}

Forecaster AboutForecaster::make(Generator& generator) const {
  target_columns();
  return Forecaster(options, generator);
}

}  // namespace unroll::models
