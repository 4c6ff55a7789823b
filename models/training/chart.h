// Line charts as SVG: a picture that says its numbers, readable on light and on dark pages.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace unroll::models {

/// One line of a chart. Points that are not finite are left out, and the line is broken there.
struct Curve {
  std::string name;  // stands at the end of the line
  std::vector<double> x = {}, y = {};
  int colour = 0;  // 0 to 5; equal colours for what belongs together
  bool dashed = false;
  bool points = true;  // a dot at each number
};

/// One pair of axes.
struct Chart {
  std::string title = {}, x_label = {}, y_label = {};
  std::vector<Curve> series = {};
  bool log_y = false;  // numbers that are not above 0 are left out
  bool percent_y = false;
  std::optional<double> y_low = {}, y_high = {};  // else as the numbers ask for
};

/// Charts side by side under a title, a line of explanation below it. Throws Error if there is no number to
/// draw.
std::string svg(const std::string& title, const std::string& subtitle, const std::vector<Chart>& charts);
/// The same into a file, whole or not at all.
void write_svg(const std::string& path, const std::string& title, const std::string& subtitle,
               const std::vector<Chart>& charts);

}  // namespace unroll::models
