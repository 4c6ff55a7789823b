// What every net here is made of: what the command line can say about it, and a model file repeats.
#pragma once
#include <string_view>

#include "models/model_file.h"
#include "nn/pooling.h"

namespace unroll::models {

enum class CellKind { elman, gru, lstm };
const char* name_of(CellKind cell);
/// Throws Error for a name that is not "elman", "gru" or "lstm".
CellKind cell_named(std::string_view name);
const char* name_of(nn::Pool pool);

struct NetOptions {
  CellKind cell = CellKind::gru;
  Index embed = 128;   // numbers a token
  Index hidden = 128;  // units of a layer, in each direction
  Index layers = 1;
  bool bidirectional = false;
  nn::Pool pool = nn::Pool::max;  // where a sequence becomes one row
  double dropout = 0;             // on what goes in, between layers and on what comes out
  bool variational = false;       // one dropout mask for all time steps (Gal and Ghahramani 2016)
};

/// Adds every option to the configuration of a model file.
void describe(const NetOptions& options, Configuration& configuration);
/// The options of a model file; throws Error, naming the file, for what is missing or out of range.
NetOptions read_net(const SavedModel& file);

/// Extents beyond this come from a damaged file.
inline constexpr Index kLargestExtent = 16384;

}  // namespace unroll::models

namespace unroll {
using models::CellKind;
using models::NetOptions;
}  // namespace unroll
