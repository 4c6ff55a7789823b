// What numbers come next? A window of rows, a recurrent net, and a linear layer from its last state to the
// next rows of the target columns.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "models/data/csv.h"
#include "models/tasks/encoder.h"
#include "models/training/saved.h"

namespace unroll::models {

struct ForecasterOptions {
  std::vector<std::string> inputs, targets;  // columns; every target is an input too
  Index window = 24, horizon = 1;
  // Dropout: between layers, and on the row before the output.
  NetOptions net{.hidden = 64, .pool = nn::Pool::last};

  template <class F>
  void settings(F&& each) {
    each("window", window, Range<Index>{1, 1 << 20}, "rows that are read");
    each("horizon", horizon, Range<Index>{1, 1 << 20}, "rows that are foretold");
  }
};

struct Forecaster {
  Encoder encoder;
  nn::Pooling pooling;
  nn::Dropout dropout;
  nn::Linear output;

  Forecaster(const ForecasterOptions& options, Generator& generator);
  /// Scaled rows in packed order to [windows, horizon * targets]: by time, then by target.
  Var operator()(Var rows, const ops::Layout& layout, Generator* noise = nullptr) const;
  void members(Members& m) { m("encoder", encoder), m("pooling", pooling), m("output", output); }
};

struct AboutForecaster {
  static constexpr const char* kind = "forecaster";
  ForecasterOptions options;
  Scaling scaling;  // of the inputs

  /// Positions of the targets among the inputs. Throws Error for a target that is none of them.
  std::vector<std::size_t> target_columns() const;
  Index outputs() const { return options.horizon * static_cast<Index>(options.targets.size()); }
  template <class F>
  void contents(F&& each) {
    each("inputs", options.inputs), each("targets", options.targets);
    options.settings(each);
    without(options.net, {"embed"}).settings(each);
    each(scaling, options.inputs.size());
  }
  Forecaster make(Generator& generator) const;
};
using SavedForecaster = Saved<AboutForecaster>;

}  // namespace unroll::models

namespace unroll {
using models::Forecaster;
using models::ForecasterOptions;
}  // namespace unroll
