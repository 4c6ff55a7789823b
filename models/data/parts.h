// Which data are learned from, which choose the model, and which it is measured on.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "autograd/tensor/dtype.h"
#include "models/data/line_reader.h"
#include "models/data/shuffle.h"

namespace unroll::models {

using autograd::Index;

/// Files of their own, or shares of one.
struct DataFiles {
  std::string training = {}, validation = {}, test = {};  // the last two may be empty
  std::string all = {};                                   // or one for all
  std::vector<double> split = {0.8, 0.1, 0.1};
  std::uint64_t split_seed = 1;  // for rows that are drawn at random

  bool is_split() const { return !all.empty(); }
  /// The file of a part: 0 training, 1 validation, 2 test; the one for all, if it is split.
  const std::string& of(std::size_t part) const {
    return is_split() ? all : part == 0 ? training : part == 1 ? validation : test;
  }
};
inline constexpr std::array<const char*, 3> kPartNames = {"training", "validation", "test"};

/// Throws Error unless there are files for training or one for all, and the shares are two or three, above 0,
/// and of at most 1 in all. `op` begins the message.
void check(const DataFiles& files, const char* op);
/// How many of `rows`, which are "rows" or "tokens", go to training, validation and test; what the shares
/// leave over goes nowhere. Throws Error if a part would be empty.
std::array<Index, 3> split_counts(const DataFiles& files, Index rows, const char* what, const char* op);

/// Throws Error: `path` has no good row for this part; `row` is what it is called.
[[noreturn]] void reject_empty(const std::string& path, std::size_t part, const char* row, const char* op);

/// All rows: read(path, use) calls use(row) for those of a file, take(row, part) has each. Shares of one file
/// are drawn at random. Throws Error as check() does, and for a part without a good row.
template <class Row, class Read, class Take>
void read_parts(const DataFiles& files, BadRows& bad, const char* row_name, const char* op, Read read,
                Take take) {
  check(files, op);
  for (std::size_t part = 0; part < 3 && !files.is_split(); ++part) {
    const std::string& path = files.of(part);
    if (path.empty()) continue;
    bool any = false;
    read(path, [&](auto&& row) {
      take(std::forward<decltype(row)>(row), part);
      any = true;
    });
    if (!any) reject_empty(path, part, row_name, op);
  }
  if (!files.is_split()) return;
  std::vector<Row> rows;
  read(files.all, [&](auto&& row) { rows.push_back(std::forward<decltype(row)>(row)); });
  ops::Generator random(files.split_seed);
  shuffle(rows, random);
  const auto counts = split_counts(files, static_cast<Index>(rows.size()), "rows", op);
  std::size_t at = 0;
  for (std::size_t part = 0; part < 3; ++part)
    for (Index i = 0; i < counts[part]; ++i) bad.guard([&] { take(std::move(rows[at++]), part); });
}

}  // namespace unroll::models
