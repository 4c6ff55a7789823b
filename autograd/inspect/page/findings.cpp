#include "autograd/inspect/page/findings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <set>

namespace unroll::inspect {

namespace {

using nlohmann::json;

constexpr double kVanished = 1e-3;  // of the gradient where it sets out
constexpr double kSaturated = 0.5;  // share of a gate's units, averaged over time

std::vector<double> numbers(const json& list) {
  std::vector<double> all;
  for (const json& x : list) all.push_back(x.is_number() ? x.get<double>() : std::nan(""));
  return all;
}

// By its path, and by its number among several of that path.
std::string named(const json& flow, const json& series) {
  const std::string path = series["path"];
  std::string name = path.empty() ? "the recurrence" : path;
  std::set<std::uint32_t> scans;
  for (const json& other : flow)
    if (other["path"] == path) scans.insert(other["recurrence"].get<std::uint32_t>());
  const auto before = std::distance(scans.begin(), scans.find(series["recurrence"].get<std::uint32_t>()));
  return scans.size() < 2 ? name : fmt::format("{}, scan {}", name, before + 1);
}

// How the gradient of an output changes on its way back: the series whose change is the largest.
void through_time(const json& flow, std::vector<std::string>& found) {
  const json* most = nullptr;
  double most_change = 0;
  for (const json& series : flow) {
    const auto norm = numbers(series["norm"]);
    if (series["field"] != 0 || norm.size() < 2) continue;
    const bool reverse = series["direction"] == "reverse";
    const double from = reverse ? norm.front() : norm.back(), to = reverse ? norm.back() : norm.front();
    if (!(from > 0) || !std::isfinite(from)) continue;
    const double change = to > 0 && std::isfinite(to) ? std::abs(std::log10(to / from)) : 1e9;
    if (!most || change > most_change) {
      most = &series;
      most_change = change;
    }
  }
  if (!most) return;
  const auto norm = numbers((*most)["norm"]);
  const bool reverse = (*most)["direction"] == "reverse";
  const std::size_t last = reverse ? 0 : norm.size() - 1, first = reverse ? norm.size() - 1 : 0;
  const double from = norm[last], to = norm[first];
  const std::string end = std::isfinite(to) ? fmt::format("{:.2g}", to) : "not finite";
  std::string line = fmt::format("The gradient of {} is {:.2g} at step {} and {} at step {}",
                                 named(flow, *most), from, last, end, first);
  json jacobian;
  for (const json& series : flow)
    if (series["recurrence"] == (*most)["recurrence"] && jacobian.is_null())
      jacobian = series.value("jacobian", json());
  const auto steps = [&](const char* key) {
    const json after = jacobian.is_object() ? jacobian.value(key, json()) : json();
    return after.is_number() ? std::optional(after.get<long>()) : std::nullopt;
  };
  const auto vanishes = steps("vanishes_after"), explodes = steps("explodes_after");
  if (to < kVanished * from)
    line += ": it vanishes";
  else if (!(to * kVanished <= from))
    line += jacobian.is_object() && !explodes && std::isfinite(to)
                ? ": more comes in on its way, the Jacobians do not make it grow"
                : ": it explodes";
  found.push_back(line + ".");
  if (vanishes)
    found.push_back(fmt::format("The product of the Jacobians of {} vanishes after {} steps.",
                                named(flow, *most), *vanishes));
  if (explodes)
    found.push_back(fmt::format("The product of the Jacobians of {} explodes after {} steps.",
                                named(flow, *most), *explodes));
}

// Gates that are stuck; the one that is so the most.
void gates(const json& flow, std::vector<std::string>& found) {
  // Over the steps that have the gate.
  const auto mean = [](const json& list) {
    double sum = 0, count = 0;
    for (const double x : numbers(list))
      if (!std::isnan(x)) sum += x, ++count;
    return sum / std::max(1.0, count);
  };
  std::string line;
  double most = kSaturated;
  for (const json& series : flow)
    for (const json& gate : series.value("gates", json::array())) {
      const double low = mean(gate["low"]), high = mean(gate["high"]);
      if (low + high <= most) continue;
      most = low + high;
      line = fmt::format(
          "Gate {} of {} is saturated: {:.0f} % of its units near the lower end, {:.0f} % near "
          "the upper one, averaged over the steps.",
          gate["name"].get<std::string>(), named(flow, series), 100 * low, 100 * high);
    }
  if (!line.empty()) found.push_back(line);
}

void parameters(const json& list, std::vector<std::string>& found) {
  std::vector<std::string> without, broken;
  for (const json& p : list) {
    if (!p.contains("gradient_norm")) continue;
    if (p["gradient_norm"].is_null()) broken.push_back(p["path"]);
    if (p["gradient_norm"] == 0) without.push_back(p["path"]);
  }
  const auto say = [&](const char* what, std::vector<std::string> paths) {
    if (paths.empty()) return;
    const std::size_t count = paths.size();
    if (count > 4) paths.resize(4);
    found.push_back(fmt::format("{}: {} of {} parameters, {}{}.", what, count, list.size(),
                                fmt::join(paths, ", "), count > 4 ? " and others" : ""));
  };
  say("A gradient that is not finite", broken);
  say("A gradient of zeros", without);
}

void clipping(const json& history, std::vector<std::string>& found) {
  if (!history.is_object() || !history.value("clipped", json()).is_array()) return;
  const auto before = numbers(history["norm"]), after = numbers(history["clipped"]);
  const auto count =
      static_cast<std::size_t>(std::inner_product(before.begin(), before.end(), after.begin(), 0,
                                                  std::plus<>(), [](double b, double a) { return a < b; }));
  if (count > 0)
    found.push_back(
        fmt::format("Clipping made the gradient smaller in {} of {} training steps that were noted.", count,
                    before.size()));
}

}  // namespace

std::vector<std::string> findings(const json& report) {
  std::vector<std::string> found;
  const json flow = report.value("flow", json::array());
  through_time(flow, found);
  gates(flow, found);
  parameters(report.value("parameters", json::array()), found);
  clipping(report.value("history", json()), found);
  return found;
}

}  // namespace unroll::inspect
