#include "models/net_options.h"

#include <fmt/format.h>

namespace unroll::models {

const char* name_of(CellKind cell) {
  return cell == CellKind::elman ? "elman" : cell == CellKind::gru ? "gru" : "lstm";
}

CellKind cell_named(std::string_view name) {
  for (const CellKind cell : {CellKind::elman, CellKind::gru, CellKind::lstm})
    if (name == name_of(cell)) return cell;
  autograd::fail("cell", fmt::format("{} came; needed elman, gru or lstm", nn::in_quotes(name)));
}

const char* name_of(nn::Pool pool) {
  switch (pool) {
    case nn::Pool::last:
      return "last";
    case nn::Pool::mean:
      return "mean";
    case nn::Pool::max:
      return "max";
    case nn::Pool::attention:
      break;
  }
  return "attention";
}

void describe(const NetOptions& options, Configuration& configuration) {
  configuration["cell"] = name_of(options.cell);
  configuration["embed"] = options.embed;
  configuration["hidden"] = options.hidden;
  configuration["layers"] = options.layers;
  configuration["bidirectional"] = options.bidirectional;
  configuration["pool"] = name_of(options.pool);
  configuration["dropout"] = options.dropout;
  configuration["variational"] = options.variational;
}

NetOptions read_net(const SavedModel& file) {
  return {.cell = cell_named(file.text("cell")),
          .embed = file.integer("embed", 0, kLargestExtent),
          .hidden = file.integer("hidden", 1, kLargestExtent),
          .layers = file.integer("layers", 1, 64),
          .bidirectional = file.flag("bidirectional"),
          .pool = nn::pool_named(file.text("pool")),
          .dropout = file.real("dropout", 0, 1),
          .variational = file.flag("variational")};
}

}  // namespace unroll::models
