// Which data are learned from, which choose the model, and which it is measured on.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "autograd/dtype.h"

namespace unroll::models {

using autograd::Index;

/// Files of their own, or shares of one.
struct DataFiles {
  std::string training, validation, test;  // the last two may be empty
  std::string all;                         // or one for all
  std::vector<double> split = {0.8, 0.1, 0.1};
  std::uint64_t split_seed = 1;

  bool is_split() const { return !all.empty(); }
};
/// Throws Error unless there are files for training or one for all, and the shares are two or three, above 0,
/// and add up to 1. `op` begins the message.
void check(const DataFiles& files, const char* op);
/// How many of `rows` go to training, validation and test, in this order. Throws Error if a part would be
/// empty.
std::array<Index, 3> split_counts(const DataFiles& files, Index rows, const char* op);

inline constexpr std::array<const char*, 3> kPartNames = {"training", "validation", "test"};

}  // namespace unroll::models
