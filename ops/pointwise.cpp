#include "ops/pointwise.h"

#include <fmt/format.h>

namespace unroll::ops::detail {

namespace {
// Whether `s` can be repeated to `full`: as it is, as a scalar, a row or a column.
bool fits(const Shape& s, const Shape& full) {
  if (s == full || s.size() == 1) return true;
  if (s.rows() == 1 && s.cols() == full.cols()) return true;
  return s.cols() == 1 && s.rank() == full.rank() && s == full.with(-1, 1);
}
}  // namespace

Shape broadcast(const Inputs& in) {
  auto all_fit = [&](const Shape& full) {
    for (int i = 0; i < in.size(); ++i)
      if (!fits(in[i], full)) return false;
    return true;
  };
  for (int i = 0; i < in.size(); ++i)
    if (all_fit(in[i])) return in[i];
  // A column and a row: neither is full.
  for (int i = 0; i < in.size(); ++i)
    for (int j = 0; j < in.size(); ++j)
      if (in[i].rank() > 0 && in[i].cols() == 1 && in[j].rows() == 1 && all_fit(in[i].with(-1, in[j].cols())))
        return in[i].with(-1, in[j].cols());
  std::string came;
  for (int i = 0; i < in.size(); ++i) came += (i ? ", " : "") + to_string(in[i]);
  in.reject(fmt::format("shapes {} came; needed equal shapes, or rows, columns or scalars to repeat", came));
}

}  // namespace unroll::ops::detail
