#include "autograd/inspect/watch/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

namespace unroll::inspect {

using autograd::Application;
using autograd::Index;
using autograd::kNone;
using autograd::Node;
using autograd::Value;

namespace {

// The processor's time stamp counter where there is one: it runs at one rate, and a read takes a third of
// what the operating system's clock does.
std::uint64_t now() {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#else
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

double size(const Value& v) { return static_cast<double>(v.shape.size()); }

Work usual_work(const Tape& tape, const Node& node, Phase phase) {
  const bool forward = phase == Phase::forward;
  double operations = 0, values = 0;
  const std::uint32_t memory = tape.value(node.first_output).buffer;
  for (std::uint32_t o = 0; o < node.output_count; ++o) {
    const double n = size(tape.value(node.first_output + o));
    operations += forward ? n : 0;
    values += n + (!forward && node.table->reads_outputs >> o & 1 ? n : 0);
  }
  for (std::uint32_t i = 0; i < node.input_count; ++i) {
    const Value& v = tape.value(node.inputs[i]);
    const bool claimed = node.table->reads_inputs >> std::min(i, 31u) & 1;
    const bool shared = v.buffer == memory;  // the output lies in the memory of the input
    if (forward ? !shared : claimed) values += size(v);
    if (!forward && v.wants_gradient) {
      operations += size(v);
      values += shared ? 0 : size(v);
    }
  }
  return {operations, values * static_cast<double>(size_of(tape.dtype()))};
}

Work deferred_work(const Tape& tape, const Node& node) {
  const std::uint32_t sum = node.inputs[node.deferred];
  double operations = 0, values = size(tape.value(sum));
  for (std::uint32_t p = tape.walk().first_pair(sum); p != kNone; p = tape.walk().pair(p).next) {
    const autograd::DeferredPair& pair = tape.walk().pair(p);
    operations += 2 * static_cast<double>(pair.rows * pair.left_cols * pair.right_cols);
    values += static_cast<double>(pair.rows * (pair.left_cols + pair.right_cols));
  }
  return {operations, values * static_cast<double>(size_of(tape.dtype()))};
}

}  // namespace

Work work_of(const Tape& tape, std::uint32_t index, Phase phase) {
  const Node& node = tape.nodes()[index];
  if (phase == Phase::deferred) return deferred_work(tape, node);
  return node.table->work(node.op, Application(tape, node), phase, usual_work(tape, node, phase));
}

// -- Recording.

Profile::Profile(Spans spans) : keeps_spans_(spans) { clear(); }

// The places stay: the next pass is likely to have the same.
void Profile::clear() {
  sums_.assign(sums_.size(), {});
  open_.clear();
  spans_.clear();
  first_tick_ = now();
  first_time_ = std::chrono::steady_clock::now();
}

void Profile::begin(Tape&, std::uint32_t, Phase) { open_.push_back({now(), 0}); }

void Profile::abandoned(Tape&, std::uint32_t, Phase) { open_.pop_back(); }

void Profile::end(Tape& tape, std::uint32_t index, Phase phase) {
  const Ticks end = now();
  const Open span = open_.back();
  open_.pop_back();
  if (!open_.empty()) open_.back().inner += end - span.begin;
  const Node& node = tape.nodes()[index];
  const std::uint32_t place = places_.find(tape, node);
  if (place == sums_.size()) sums_.emplace_back();
  Sum& sum = sums_[place][static_cast<std::size_t>(phase)];
  ++sum.count;
  sum.ticks += end - span.begin - span.inner;
  const Work work = work_of(tape, index, phase);
  sum.work.operations += work.operations;
  sum.work.bytes += work.bytes;
  if (keeps_spans_ == Spans::kept)
    spans_.push_back({span.begin, end, place, phase, phase == Phase::deferred ? -1 : node.step});
}

// -- Reading.

// Over all the time since the profile was made, a millisecond at least, for accuracy.
double Profile::nanoseconds_per_tick() const {
  for (;;) {
    const auto time = std::chrono::steady_clock::now();
    const Ticks tick = now();
    const double elapsed = std::chrono::duration<double, std::nano>(time - first_time_).count();
    if (elapsed > 1e6) return elapsed / static_cast<double>(tick - first_tick_);
  }
}

std::vector<Profile::Row> Profile::rows() const {
  const double scale = nanoseconds_per_tick();
  std::vector<Row> result;
  for (std::uint32_t place = 0; place < sums_.size(); ++place)
    for (Phase phase : {Phase::forward, Phase::backward, Phase::deferred}) {
      const Sum& sum = sums_[place][static_cast<std::size_t>(phase)];
      if (sum.count > 0)
        result.push_back(
            {places_[place], phase, sum.count, scale * static_cast<double>(sum.ticks), sum.work});
    }
  std::ranges::stable_sort(result, std::greater(), &Row::ns);
  return result;
}

std::map<std::string, ProfileSum> by_module(std::span<const Profile::Row> rows) {
  return by_module<ProfileSum>(rows, [](ProfileSum& sum, const Profile::Row& row) {
    sum.count += row.count;
    sum.ns += row.ns;
    sum.work.operations += row.work.operations;
    sum.work.bytes += row.work.bytes;
  });
}
std::map<std::string, ProfileSum> by_module(const Profile& profile) { return by_module(profile.rows()); }

std::vector<Profile::Span> Profile::spans() const {
  const double scale = nanoseconds_per_tick();
  auto time = [&](Ticks tick) { return scale * static_cast<double>(tick - first_tick_); };
  std::vector<Span> result;
  for (const Kept& s : spans_)
    result.push_back({&places_[s.place], s.phase, s.step, time(s.begin), time(s.end)});
  std::ranges::sort(result, [](const Span& a, const Span& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end > b.end;
  });
  return result;
}

std::string to_string(const Profile& profile, std::size_t most) {
  const std::vector<Profile::Row> rows = profile.rows();
  const double total = by_module(rows)[""].ns;
  std::string text = fmt::format("{:>6} {:>10} {:>9} {:>8} {:>8}  {:8} {:20} {}\n", "share", "ms", "count",
                                 "GF/s", "GB/s", "phase", "op", "module");
  for (std::size_t i = 0; i < std::min(most, rows.size()); ++i) {
    const Profile::Row& r = rows[i];
    const double ns = std::max(r.ns, 1.0);
    text += fmt::format("{:5.1f}% {:10.3f} {:9} {:8.2f} {:8.2f}  {:8} {:20} {}\n",
                        100 * r.ns / std::max(total, 1.0), r.ns / 1e6, r.count, r.work.operations / ns,
                        r.work.bytes / ns, name_of(r.phase), r.place.op, r.place.module);
  }
  if (rows.size() > most) text += fmt::format("and {} more\n", rows.size() - most);
  return text + fmt::format("{:6} {:10.3f} ms in all\n", "", total / 1e6);
}

void to_json(nlohmann::json& json, const Profile& profile) {
  const std::vector<Profile::Row> rows = profile.rows();
  std::map<std::string, ProfileSum> modules = by_module(rows);
  const ProfileSum total = modules[""];
  json = {{"rows", nlohmann::json::array()},
          {"modules", nlohmann::json::array()},
          {"ns", total.ns},
          {"flops", total.work.operations},
          {"bytes", total.work.bytes}};
  for (const Profile::Row& r : rows)
    json["rows"].push_back({{"op", r.place.op},
                            {"module", r.place.module},
                            {"phase", name_of(r.phase)},
                            {"count", r.count},
                            {"ns", r.ns},
                            {"flops", r.work.operations},
                            {"bytes", r.work.bytes}});
  for (const auto& [module, sum] : modules)
    if (!module.empty())
      json["modules"].push_back(
          {{"module", module}, {"ns", sum.ns}, {"flops", sum.work.operations}, {"bytes", sum.work.bytes}});
}

}  // namespace unroll::inspect
