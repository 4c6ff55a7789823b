#include "models/training/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>

#include "autograd/system/atomic_file.h"
#include "autograd/system/error.h"

namespace unroll::models {

namespace {

// In pixels. A panel is the axes with room for labels around them.
constexpr double kPanelWidth = 460, kPanelHeight = 300;
constexpr double kLeft = 62, kRight = 104, kTop = 84, kBottom = 50;
constexpr double kLabelHeight = 15;  // of a line's name; names are pushed apart by so much

// Hues that differ in lightness too; each has a darker form for light pages.
constexpr std::array<const char*, 6> kOnLight = {"#0b62c4", "#c2410c", "#0f7b52",
                                                 "#9333a8", "#a16207", "#57606a"};
constexpr std::array<const char*, 6> kOnDark = {"#6cb2ff", "#ff9a66", "#4fd1a0",
                                                "#d99bf0", "#e6c04a", "#a8b3bf"};

std::string style() {
  std::string light, dark;
  for (std::size_t i = 0; i < kOnLight.size(); ++i) {
    light += fmt::format("--c{}:{};", i, kOnLight[i]);
    dark += fmt::format("--c{}:{};", i, kOnDark[i]);
  }
  return fmt::format(
      "<style>\n"
      "svg{{--page:#ffffff;--text:#1f2328;--soft:#59636e;--grid:#e3e7eb;{}\n"
      " font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;font-size:12px}}\n"
      "@media (prefers-color-scheme:dark){{svg{{--page:#0d1117;--text:#e6edf3;--soft:#9aa5b1;"
      "--grid:#29313a;{}}}}}\n"
      ".page{{fill:var(--page)}} text{{fill:var(--text)}} .soft{{fill:var(--soft)}}\n"
      ".grid{{stroke:var(--grid);stroke-width:1}} .line{{fill:none;stroke-width:2;stroke-linejoin:round}}\n"
      ".title{{font-size:16px;font-weight:600}} .name{{font-weight:600}}\n"
      "</style>\n",
      light, dark);
}

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '&')
      result += "&amp;";
    else if (c == '<')
      result += "&lt;";
    else if (c == '>')
      result += "&gt;";
    else if (c == '"')
      result += "&quot;";
    else
      result += c;
  }
  return result;
}

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  void add(double x) {
    low = std::min(low, x);
    high = std::max(high, x);
  }
  bool empty() const { return !(low <= high); }
  // A single number gets some room.
  void widen() {
    if (low < high) return;
    const double room = low == 0 ? 1 : std::abs(low) * 0.1;
    low -= room;
    high += room;
  }
};

// Round numbers, about `count` of them, at least `least` apart, that cover the range.
std::vector<double> ticks(Range range, int count, double least = 0) {
  const double raw = (range.high - range.low) / count;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  const double ratio = raw / power;
  const double step = std::max(power * (ratio < 1.5 ? 1 : ratio < 3.5 ? 2 : ratio < 7.5 ? 5 : 10), least);
  std::vector<double> at;
  for (double i = std::ceil(range.low / step - 1e-9); i * step <= range.high + 1e-9 * step; ++i)
    at.push_back(i * step);
  return at;
}

// Powers of ten that cover the range, at most about `count` of them.
std::vector<double> log_ticks(Range range, int count) {
  const int low = static_cast<int>(std::ceil(range.low - 1e-9)),
            high = static_cast<int>(std::floor(range.high + 1e-9));
  const int every = std::max(1, (high - low + count) / count);
  std::vector<double> at;
  for (int i = low; i <= high; i += every) at.push_back(i);
  return at;
}

std::string in_short(double x) {
  if (x == 0) return "0";
  const double size = std::abs(x);
  if (size >= 1e6 || size < 1e-4) return fmt::format("{:.0e}", x);
  return fmt::format("{:.6g}", x);
}

class Panel {
 public:
  Panel(const Chart& chart, double left) : chart_(chart), left_(left + kLeft) {
    for (const Curve& s : chart.series)
      for (std::size_t i = 0; i < std::min(s.x.size(), s.y.size()); ++i)
        if (drawn(s, i)) {
          xs_.add(s.x[i]);
          whole_x_ = whole_x_ && s.x[i] == std::floor(s.x[i]);
          ys_.add(scaled(s.y[i]));
        }
    if (xs_.empty()) autograd::fail("chart", "no number to draw came; needed at least one");
    xs_.widen();
    if (chart.y_low) ys_.low = scaled(*chart.y_low);
    if (chart.y_high) ys_.high = scaled(*chart.y_high);
    ys_.widen();
    if (!chart.y_high) ys_.high += 0.04 * (ys_.high - ys_.low);
    if (!chart.y_low) ys_.low -= 0.04 * (ys_.high - ys_.low);
  }

  std::string draw() const {
    std::string out = fmt::format("<text class=\"name\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", left_,
                                  kTop - 14, escaped(chart_.title));
    draw_axes(out);
    for (const Curve& s : chart_.series) draw_line(out, s);
    draw_names(out);
    return out;
  }

 private:
  double scaled(double y) const { return chart_.log_y ? std::log10(y) : y; }
  bool drawn(const Curve& s, std::size_t i) const {
    return std::isfinite(s.x[i]) && std::isfinite(s.y[i]) && (!chart_.log_y || s.y[i] > 0);
  }
  double px(double x) const { return left_ + width() * (x - xs_.low) / (xs_.high - xs_.low); }
  // A line ends where it leaves the axes.
  bool visible(const Curve& s, std::size_t i) const {
    return drawn(s, i) && scaled(s.y[i]) >= ys_.low && scaled(s.y[i]) <= ys_.high;
  }
  // From a scaled number.
  double py(double y) const { return kTop + height() * (ys_.high - y) / (ys_.high - ys_.low); }
  static double width() { return kPanelWidth - kLeft - kRight; }
  static double height() { return kPanelHeight; }

  // `powers`: of ten, on a logarithmic axis.
  std::string y_text(double tick, bool powers) const {
    if (chart_.log_y) {
      if (!powers) return in_short(std::pow(10.0, tick));
      return fmt::format("10<tspan dy=\"-5\" font-size=\"9\">{}</tspan>", static_cast<int>(tick));
    }
    return chart_.percent_y ? in_short(100 * tick) + " %" : in_short(tick);
  }

  void draw_axes(std::string& out) const {
    const double right = left_ + width(), bottom = kTop + height();
    const auto at = chart_.log_y ? log_ticks(ys_, 7) : ticks(ys_, 6);
    const bool powers = std::ranges::any_of(at, [](double tick) { return tick < -3 || tick > 4; });
    for (double tick : at) {
      out += fmt::format("<line class=\"grid\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>\n",
                         left_, right, py(tick), py(tick));
      out += fmt::format("<text class=\"soft\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n",
                         left_ - 8, py(tick) + 4, y_text(tick, powers));
    }
    for (double tick : ticks(xs_, 6, whole_x_ ? 1 : 0))
      out += fmt::format("<text class=\"soft\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n",
                         px(tick), bottom + 20, in_short(tick));
    out += fmt::format("<text class=\"soft\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n",
                       (left_ + right) / 2, bottom + 40, escaped(chart_.x_label));
    out += fmt::format(
        "<text class=\"soft\" transform=\"translate({:.1f} {:.1f}) rotate(-90)\" "
        "text-anchor=\"middle\">{}</text>\n",
        left_ - 48, kTop + height() / 2, escaped(chart_.y_label));
  }

  void draw_line(std::string& out, const Curve& s) const {
    std::string path, dots;
    bool down = false;
    for (std::size_t i = 0; i < std::min(s.x.size(), s.y.size()); ++i) {
      if (!visible(s, i)) {
        down = false;
        continue;
      }
      const double x = px(s.x[i]), y = py(scaled(s.y[i]));
      path += fmt::format("{}{:.1f} {:.1f}", down ? " L" : " M", x, y);
      down = true;
      if (s.points && s.x.size() <= 60)
        dots += fmt::format(
            "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.6\" fill=\"var(--c{})\"><title>{}: {}, "
            "{}</title></circle>\n",
            x, y, s.colour, escaped(s.name), in_short(s.x[i]), in_short(s.y[i]));
    }
    if (path.empty()) return;
    out += fmt::format("<path class=\"line\" stroke=\"var(--c{})\"{} d=\"{}\"/>\n", s.colour,
                       s.dashed ? " stroke-dasharray=\"5 4\"" : "", path.substr(1));
    out += dots;
  }

  // At the end of each line, pushed apart where lines end close to each other.
  void draw_names(std::string& out) const {
    struct Name {
      const Curve* series;
      double x, y;
    };
    std::vector<Name> names;
    for (const Curve& s : chart_.series)
      for (std::size_t i = std::min(s.x.size(), s.y.size()); i-- > 0;)
        if (visible(s, i)) {
          names.push_back({&s, px(s.x[i]), py(scaled(s.y[i]))});
          break;
        }
    std::stable_sort(names.begin(), names.end(), [](const Name& a, const Name& b) { return a.y < b.y; });
    for (std::size_t i = 1; i < names.size(); ++i)
      names[i].y = std::max(names[i].y, names[i - 1].y + kLabelHeight);
    for (std::size_t i = names.size(); i-- > 0;) {
      const double limit = i + 1 < names.size() ? names[i + 1].y - kLabelHeight : kTop + height();
      names[i].y = std::min(names[i].y, limit);
    }
    for (const Name& name : names)
      out +=
          fmt::format("<text class=\"name\" x=\"{:.1f}\" y=\"{:.1f}\" style=\"fill:var(--c{})\">{}</text>\n",
                      left_ + width() + 9, name.y + 4, name.series->colour, escaped(name.series->name));
  }

  const Chart& chart_;
  double left_;
  Range xs_, ys_;
  bool whole_x_ = true;  // all of them are whole numbers, as epochs are
};

}  // namespace

std::string svg(const std::string& title, const std::string& subtitle, const std::vector<Chart>& charts) {
  const double width = kPanelWidth * static_cast<double>(charts.size()),
               height = kTop + kPanelHeight + kBottom;
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" "
      "height=\"{1:.0f}\" role=\"img\" aria-label=\"{2}\">\n<title>{2}</title>\n",
      width, height, escaped(title));
  out += style();
  out += fmt::format("<rect class=\"page\" width=\"{:.0f}\" height=\"{:.0f}\"/>\n", width, height);
  out += fmt::format("<text class=\"title\" x=\"16\" y=\"28\">{}</text>\n", escaped(title));
  out += fmt::format("<text class=\"soft\" x=\"16\" y=\"47\">{}</text>\n", escaped(subtitle));
  for (std::size_t i = 0; i < charts.size(); ++i)
    out += Panel(charts[i], kPanelWidth * static_cast<double>(i)).draw();
  return out + "</svg>\n";
}

void write_svg(const std::string& path, const std::string& title, const std::string& subtitle,
               const std::vector<Chart>& charts) {
  autograd::replace_file(path, svg(title, subtitle, charts), SourceLocation{});
}

}  // namespace unroll::models
