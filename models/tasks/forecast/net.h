// What numbers come next? A window of rows, a recurrent net, and a linear layer from its last state to the
// next rows of the target columns.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "models/data/csv.h"
#include "models/data/scaling.h"
#include "models/tasks/encoder.h"

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

/// A forecaster with what is needed to apply it.
struct SavedForecaster {
  ForecasterOptions options;
  Scaling scaling;  // of the inputs
  Forecaster net;

  SavedForecaster(const ForecasterOptions& options, Scaling scaling, Generator& generator);
  /// Position of a target among the inputs.
  std::size_t column(std::size_t target) const { return columns_[target]; }
  Index outputs() const { return options.horizon * static_cast<Index>(options.targets.size()); }
  void members(Members& m) { net.members(m); }

 private:
  std::vector<std::size_t> columns_;
};

inline constexpr const char* kForecaster = "forecaster";
ModelCard card_of(const SavedForecaster& forecaster);
void save_forecaster(const std::string& path, SavedForecaster& forecaster);
/// Throws Error, naming the file, if it is no forecaster.
SavedForecaster load_forecaster(const std::string& path);

}  // namespace unroll::models

namespace unroll {
using models::Forecaster;
using models::ForecasterOptions;
}  // namespace unroll
