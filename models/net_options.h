// What every net here is made of.
#pragma once
#include "models/settings.h"
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
  }
};

}  // namespace unroll::models

namespace unroll {
using models::CellKind;
using models::NetOptions;
}  // namespace unroll
