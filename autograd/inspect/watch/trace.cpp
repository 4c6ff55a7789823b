#include "autograd/inspect/watch/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>
#include <span>
#include <utility>

namespace unroll::inspect {

namespace {

using Span = Profile::Span;
using Json = nlohmann::ordered_json;

// What lies around nodes: the direction, the modules from the outermost to the innermost, the time step.
struct Level {
  std::string name;
  const char* kind;
  bool operator==(const Level&) const = default;
};

std::vector<Level> levels_of(const Span& span) {
  std::vector<Level> levels{{span.phase == Phase::forward ? "forward" : "backward", "pass"}};
  std::size_t begin = 0;
  for (const std::string& module : modules_around(span.place->module)) {
    levels.push_back({module.substr(begin), "module"});
    begin = module.size() + 1;
  }
  if (span.step >= 0) levels.push_back({fmt::format("step {}", span.step), "step"});
  return levels;
}

class Timeline {
 public:
  /// Spans that follow each other, each with those inside of it.
  void add(std::span<const Span> spans) {
    std::vector<std::pair<Level, std::size_t>> open;  // and their events
    for (std::size_t i = 0; i < spans.size();) {
      const Span& span = spans[i];
      const std::vector<Level> levels = levels_of(span);
      std::size_t same = 0;
      while (same < std::min(open.size(), levels.size()) && open[same].first == levels[same]) ++same;
      open.resize(same);
      for (; same < levels.size(); ++same)
        open.emplace_back(levels[same], add(levels[same].name, levels[same].kind, span));
      for (const auto& [level, event] : open)
        events_[event]["dur"] = span.end / 1e3 - events_[event]["ts"].get<double>();
      Json& node = events_[add(span.place->op, name_of(span.phase), span)];
      node["args"] = {{"module", span.place->module}};
      if (span.step >= 0) node["args"]["step"] = span.step;

      std::size_t after = i + 1;
      while (after < spans.size() && spans[after].begin < span.end) ++after;
      add(spans.subspan(i + 1, after - i - 1));
      i = after;
    }
  }

  void write(std::ostream& out) const {
    const char* before = "[\n";
    for (const Json& event : events_) out << std::exchange(before, ",\n") << event.dump();
    out << (events_.empty() ? "[]\n" : "\n]\n");
  }

 private:
  std::size_t add(const std::string& name, const char* kind, const Span& span) {
    events_.push_back({{"name", name},
                       {"cat", kind},
                       {"ph", "X"},
                       {"pid", 1},
                       {"tid", 1},
                       {"ts", span.begin / 1e3},
                       {"dur", span.end / 1e3 - span.begin / 1e3}});
    return events_.size() - 1;
  }

  std::vector<Json> events_;  // what is around a node comes before it
};

}  // namespace

void write_trace(const Profile& profile, std::ostream& out) {
  Timeline timeline;
  timeline.add(profile.spans());
  timeline.write(out);
}

}  // namespace unroll::inspect
