// What every net here is made of.
#pragma once
#include <fmt/format.h>

#include "models/training/progress.h"
#include "models/training/settings.h"
#include "nn/pooling.h"

namespace unroll::models {

enum class CellKind { elman, gru, lstm };
inline constexpr Word<CellKind> kCells[] = {
    {"elman", CellKind::elman}, {"gru", CellKind::gru}, {"lstm", CellKind::lstm}};
inline constexpr Word<nn::Pool> kPools[] = {{"last", nn::Pool::last},
                                            {"mean", nn::Pool::mean},
                                            {"max", nn::Pool::max},
                                            {"attention", nn::Pool::attention}};

/// Extents beyond this come from a slip of the hand, or from a damaged file.
inline constexpr Index kLargestExtent = 16384;
/// Bytes.
double memory_of_machine();

struct NetOptions {
  CellKind cell = CellKind::gru;
  Index embed = 128;
  Index hidden = 128;
  Index layers = 1;
  bool bidirectional = false;
  nn::Pool pool = nn::Pool::max;
  double dropout = 0;        // between layers, and where a model says
  bool variational = false;  // the same numbers at all time steps

  /// As the two say.
  nn::Dropout dropping() const { return {dropout, variational}; }
  /// How many the layers have to read states with; those that read what comes from outside are left out.
  Index weights() const;

  template <class F>
  void settings(F&& each) {
    each("cell", cell, kCells, "recurrent cell");
    each("embed", embed, Range<Index>{1, kLargestExtent}, "numbers that stand for a token");
    each("hidden", hidden, Range<Index>{1, kLargestExtent}, "units of a layer, in each direction");
    each("layers", layers, Range<Index>{1, 64}, "recurrent layers");
    each("bidirectional", bidirectional, kYesOrNo, "read in both directions, with weights of their own");
    each("pool", pool, kPools, "how the steps of a sequence become one row");
    each("dropout", dropout, Range<double>{0, 0.95}, "share of numbers set to zero in training");
    each("variational", variational, kYesOrNo, "drop the same numbers at every time step");
  }
  template <class F>
  void conditions(F&& effect) const {
    effect({"variational"}, dropout > 0, "--dropout 0", "a --dropout above 0");
    const double bytes = 2 * sizeof(float) * static_cast<double>(weights()), memory = memory_of_machine();
    effect({"hidden", "layers"}, bytes <= memory,
           fmt::format("a net of {} weights, {:.0f} GB with their gradients", with_commas(weights()),
                       1e-9 * bytes),
           fmt::format("one for the {:.0f} GB of this machine", 1e-9 * memory));
  }
};

}  // namespace unroll::models

namespace unroll {
using models::CellKind;
using models::NetOptions;
}  // namespace unroll
