#include "autograd/inspect/watch/trace.h"

#include <doctest/doctest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "nn/nn.h"

using namespace unroll;
using inspect::Profile;
using nlohmann::json;

namespace {

json trace_of(const Profile& profile) {
  std::ostringstream text;
  inspect::write_trace(profile, text);
  return json::parse(text.str());
}

// The names around an event and its own, "forward/net/step 3/lstm", and how often each came.
std::map<std::string, int> read(const json& trace) {
  std::map<std::string, int> paths;
  std::vector<json> events(trace.begin(), trace.end());
  std::ranges::stable_sort(events, [](const json& a, const json& b) {
    return a["ts"] != b["ts"] ? a["ts"] < b["ts"] : a["dur"] > b["dur"];
  });
  struct Open {
    std::string path;
    double end;
  };
  std::vector<Open> open;
  for (const json& event : events) {
    CHECK(event["ph"] == "X");
    CHECK(event["pid"] == 1);
    CHECK(event["tid"] == 1);
    CHECK(event["dur"] >= 0);
    const double begin = event["ts"], end = begin + event["dur"].get<double>();
    constexpr double rounding = 1e-6;
    while (!open.empty() && open.back().end <= begin + rounding) open.pop_back();
    if (!open.empty()) CHECK(end <= open.back().end + rounding);  // events nest
    const std::string name = event["name"];
    open.push_back({open.empty() ? name : open.back().path + "/" + name, end});
    ++paths[open.back().path];
  }
  return paths;
}

}  // namespace

TEST_CASE("a trace can be read back: nodes inside steps, modules and directions") {
  Generator random(1);
  const Lstm lstm(3, 4, random);
  const Head head(4, 2, random);
  const Layout layout = Layout::uniform(2, 5);
  Tape tape;
  Gradients gradients;
  Profile profile(Profile::Spans::kept);
  {
    const auto attached = tape.attach(profile);
    Var rows;
    {
      const auto outer = tape.scope("net");
      const auto scope = tape.scope("layers.0");
      rows = tanh(scan(lstm, {tape.full({10, 3}, 0.5), &layout}).outputs.rows);
    }
    tape.backward(sum(rows), gradients);
  }
  const json trace = trace_of(profile);
  REQUIRE(trace.is_array());
  std::map<std::string, int> paths = read(trace);
  int steps = 0, nodes = 0;
  for (const auto& [path, count] : paths) {
    CHECK((path.starts_with("forward") || path.starts_with("backward")));
    if (path.ends_with("/lstm")) {
      CHECK(path.find("/net/layers.0/") != std::string::npos);
      CHECK(path.find("/step ") != std::string::npos);
      nodes += count;
    }
    steps += path.find("/step 3") != std::string::npos && path.ends_with("/lstm");
  }
  CHECK(nodes == 2 * 5);
  CHECK(steps == 2);  // there and back
  CHECK(paths["forward"] == 1);
  CHECK(paths["backward"] == 1);
  CHECK(paths["forward/sum"] == 1);
  std::size_t of_nodes = 0, deferred = 0;
  for (const json& event : trace) {
    of_nodes += event.contains("args");
    deferred += event["cat"] == "deferred";
  }
  CHECK(of_nodes == profile.spans().size());
  CHECK(deferred == 2);
}

TEST_CASE("a trace shows what was recomputed inside of backward") {
  Generator random(1);
  const Gru gru(3, 4, random);
  const Layout layout = Layout::uniform(2, 4);
  Tape tape;
  Gradients gradients;
  Profile profile(Profile::Spans::kept);
  const auto attached = tape.attach(profile);
  tape.backward(sum(last_state_recomputed(gru, {tape.full({8, 3}, 0.5), &layout}, 2)), gradients);
  int inside = 0;
  for (const auto& [path, count] : read(trace_of(profile)))
    if (path.starts_with("backward") && path.find("recompute/forward") != std::string::npos &&
        path.ends_with("/gru"))
      inside += count;
  CHECK(inside == 4);
}

TEST_CASE("names are escaped, and a trace of nothing is an empty array") {
  CHECK(trace_of(Profile(Profile::Spans::kept)) == json::array());
  Tape tape;
  Profile profile(Profile::Spans::kept);
  const auto attached = tape.attach(profile);
  const auto scope = tape.scope("a \"quoted\"\n\\name");
  (void)exp(tape.full({1}, 1));
  CHECK(read(trace_of(profile)).count("forward/a \"quoted\"\n\\name/exp") == 1);
}
