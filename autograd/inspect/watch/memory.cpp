#include "autograd/inspect/watch/memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <tuple>
#include <utility>

namespace unroll::inspect {

using autograd::kNone;
using autograd::MemoryPool;
using autograd::Node;
using autograd::Value;

namespace {
const char* name_of(Memory::Kind kind) {
  constexpr const char* names[] = {"values", "gradients", "packed copies", "scratch"};
  return names[static_cast<std::size_t>(kind)];
}
}  // namespace

// -- Recording. What comes and goes is logged, and read only up to the peak.

Memory::Entry Memory::entry_of(const Tape& tape, std::uint32_t node) {
  const Node& n = tape.nodes()[node];
  return {node, places_.find(tape, n), n.step, Kind::values, 0};
}

void Memory::clear() {
  start_pass();
  open_.clear();
  largest_ = {};
  tape_ = nullptr;
}

void Memory::start_pass() {
  if (at_.bytes > largest_.at.bytes) largest_ = resolve();
  levels_.clear();
  log_.clear();
  timeline_.clear();
  scratch_.clear();
  at_ = {};
  logged_ = 0;
}

void Memory::begin(Tape& tape, std::uint32_t node, Phase phase) {
  while (levels_.size() > open_.size() + 1) drop_level();
  if (open_.empty() && (tape_ != &tape || pass_ != tape.pass())) {
    start_pass();
    tape_ = &tape;
    pass_ = tape.pass();
  }
  if (levels_.size() == open_.size()) levels_.emplace_back();
  Level& level = levels_[open_.size()];
  const Entry entry = entry_of(tape, node);
  if (phase == Phase::forward)
    drop_values(level, node);
  else
    drop_gradients(level, tape);
  find_values(level, tape, entry);
  open_.push_back({&tape, entry, 0});
  tape.pool().watch();
}

void Memory::abandoned(Tape&, std::uint32_t, Phase) { open_.pop_back(); }

void Memory::end(Tape& tape, std::uint32_t, Phase phase) {
  const Open open = open_.back();
  open_.pop_back();
  while (levels_.size() > open_.size() + 1) drop_level();
  Level& level = levels_.back();
  find_values(level, tape, open.node);
  if (phase != Phase::forward) find_gradients(level, tape, open.node, phase);

  const Tape::Usage own = tape.usage();
  std::size_t bytes = own.arena + own.packed + tape.pool().highest();
  for (const Open& around : open_) bytes += around.tape->usage().total();
  if (bytes > at_.bytes) {
    at_ = {open.node.node, phase, bytes};
    at_node_ = open.node;
    logged_ = log_.size();
    scratch_.clear();
    auto add_scratch = [&](Entry node, std::size_t taken, const Level& in) {
      node.kind = Kind::scratch;
      node.bytes = static_cast<std::int64_t>(taken) - in.gradients.bytes();
      if (node.bytes > 0) scratch_.push_back(node);
    };
    add_scratch(open.node, tape.pool().highest(), level);
    for (std::size_t i = 0; i < open_.size(); ++i)
      add_scratch(open_[i].node, open_[i].tape->usage().pool, levels_[i]);
  }
  bytes = std::max(bytes, open.most);
  if (open_.empty())
    timeline_.push_back({open.node.node, phase, bytes});
  else
    open_.back().most = std::max(open_.back().most, bytes);
}

// What the count has grown by since the last time is the node's.
void Memory::hold(Held& held, Entry entry, std::size_t now) {
  entry.bytes = static_cast<std::int64_t>(now) - held.bytes;
  if (entry.bytes <= 0) return;
  if (!held.entries.empty() && held.entries.back().node == entry.node) {
    entry.bytes += held.entries.back().bytes;
    let_go(held);
  }
  held.bytes += entry.bytes;
  held.entries.push_back(entry);
  log_.push_back(entry);
}

void Memory::let_go(Held& held) {
  Entry entry = held.entries.back();
  held.entries.pop_back();
  held.bytes -= entry.bytes;
  entry.bytes = -entry.bytes;
  log_.push_back(entry);
}

// A frame has taken back what came later: nodes are recorded again under the same numbers.
void Memory::drop_values(Level& level, std::uint32_t node) {
  std::vector<Entry>& values = level.values.entries;
  while (!values.empty() && values.back().node >= node) let_go(level.values);
}

void Memory::find_values(Level& level, const Tape& tape, Entry node) {
  const Tape::Usage usage = tape.usage();
  while (level.values.bytes > static_cast<std::int64_t>(usage.arena)) let_go(level.values);
  hold(level.values, node, usage.arena);
  node.kind = Kind::packed;
  hold(level.packed, node, usage.packed);
}

void Memory::Gradients::add(std::uint32_t root, const Entry& entry) {
  if (slots_.size() <= root) slots_.resize(root + 1);
  roots_.push_back(root);
  entries_.push_back(entry);
  bytes_ += entry.bytes;
  slots_[root] = static_cast<std::uint32_t>(roots_.size());
}

Memory::Entry Memory::Gradients::take(std::uint32_t root) {
  const std::uint32_t slot = std::exchange(slots_[root], 0) - 1;
  const Entry entry = entries_[slot];
  if (slot + 1 < roots_.size()) {  // the last one takes its place
    roots_[slot] = roots_.back();
    entries_[slot] = entries_.back();
    slots_[roots_[slot]] = slot + 1;
  }
  roots_.pop_back();
  entries_.pop_back();
  bytes_ -= entry.bytes;
  return entry;
}

void Memory::find_gradient(Level& level, const Tape& tape, std::uint32_t value) {
  const std::uint32_t root = tape.value(value).buffer;
  const autograd::Buffer& r = tape.records().buffers[root];
  const autograd::Gradient& gradient = tape.walk().gradient(root);
  const std::uint32_t maker = tape.value(r.value).node;
  const bool borrowed = maker == kNone && !open_.empty();  // a leaf of an inner tape: in memory of the outer
  if (gradient.lies != autograd::Lies::pooled || borrowed || level.gradients.contains(root)) return;
  Entry entry =
      maker == kNone ? Entry{kNone, places_.named("variable", ""), -1, {}, 0} : entry_of(tape, maker);
  entry.kind = Kind::gradients;
  entry.bytes = static_cast<std::int64_t>(MemoryPool::block_size(static_cast<std::size_t>(r.bytes)));
  level.gradients.add(root, entry);
  log_.push_back(entry);
}

void Memory::find_gradients(Level& level, const Tape& tape, const Entry& entry, Phase phase) {
  const Node& node = tape.nodes()[entry.node];
  if (phase == Phase::deferred) return find_gradient(level, tape, node.inputs[node.deferred]);
  level.last_node = entry.node;
  for (std::uint32_t i = 0; i < node.input_count; ++i) find_gradient(level, tape, node.inputs[i]);
  for (std::uint32_t o = 0; o < node.output_count; ++o) find_gradient(level, tape, node.first_output + o);
}

void Memory::drop_gradient(Level& level, const Tape& tape, std::uint32_t root) {
  if (!level.gradients.contains(root) || tape.walk().gradient(root).memory) return;
  Entry entry = level.gradients.take(root);
  entry.bytes = -entry.bytes;
  log_.push_back(entry);
}

// Those of the node before, and where that is not all, whatever has gone with deferred products.
void Memory::drop_gradients(Level& level, const Tape& tape) {
  if (level.last_node < tape.nodes().size()) {
    const Node& last = tape.nodes()[level.last_node];
    for (std::uint32_t o = 0; o < last.output_count; ++o)
      drop_gradient(level, tape, tape.value(last.first_output + o).buffer);
  }
  if (level.gradients.bytes() <= static_cast<std::int64_t>(tape.pool().used())) return;
  const std::vector<std::uint32_t> roots = level.gradients.roots();
  for (std::uint32_t root : roots) drop_gradient(level, tape, root);
}

// The tape inside of a node is cleared with its end.
void Memory::drop_level() {
  Level& level = levels_.back();
  while (!level.values.entries.empty()) let_go(level.values);
  while (!level.packed.entries.empty()) let_go(level.packed);
  while (!level.gradients.roots().empty()) {
    log_.push_back(level.gradients.take(level.gradients.roots().back()));
    log_.back().bytes = -log_.back().bytes;
  }
  levels_.pop_back();
}

// -- Reading.

Memory::Peak Memory::resolve() const {
  std::map<std::tuple<std::uint32_t, Kind, std::int32_t, std::uint32_t>, std::int64_t>
      sums;  // by place, kind, step and node
  auto count = [&](const Entry& e) { sums[{e.place, e.kind, e.step, e.node}] += e.bytes; };
  std::ranges::for_each(std::span(log_).first(logged_), count);
  std::ranges::for_each(scratch_, count);

  std::map<std::pair<std::uint32_t, Kind>, Row> rows;
  for (const auto& [key, bytes] : sums) {
    if (bytes == 0) continue;
    const auto& [place, kind, step, node] = key;
    Row& row = rows.try_emplace({place, kind}, Row{places_[place], kind, 0, {}, step, step}).first->second;
    row.bytes += static_cast<std::size_t>(bytes);
    if (node != kNone) row.nodes.push_back(node);
    row.last_step = step;
  }
  for (auto& [key, row] : rows) std::ranges::sort(row.nodes);
  Peak peak;
  if (at_.bytes > 0) peak = {at_, places_[at_node_.place], at_node_.step, {}};
  for (auto& [key, row] : rows) peak.alive.push_back(std::move(row));
  std::ranges::stable_sort(peak.alive, std::greater(), &Row::bytes);
  return peak;
}

Memory::Peak Memory::peak() const { return at_.bytes > largest_.at.bytes ? resolve() : largest_; }

std::string to_string(const Memory& memory, std::size_t most) {
  const Memory::Peak peak = memory.peak();
  auto steps = [](std::int32_t first, std::int32_t last) {
    return first < 0       ? std::string()
           : first == last ? fmt::format("{}", first)
                           : fmt::format("{} to {}", first, last);
  };
  const std::string step = peak.step < 0 ? "" : fmt::format(", step {}", peak.step);
  std::string text = fmt::format("{} bytes at most, in {} of {} {}{}\n", peak.at.bytes,
                                 name_of(peak.at.phase), peak.place.op, peak.place.module, step);
  text += fmt::format("{:>6} {:>14} {:>7}  {:12} {:9} {:20} {}\n", "share", "bytes", "nodes", "steps", "",
                      "op", "module");
  for (std::size_t i = 0; i < std::min(most, peak.alive.size()); ++i) {
    const Memory::Row& r = peak.alive[i];
    text += fmt::format("{:5.1f}% {:14} {:7}  {:12} {:9} {:20} {}\n",
                        100 * static_cast<double>(r.bytes) / static_cast<double>(peak.at.bytes), r.bytes,
                        r.nodes.size(), steps(r.first_step, r.last_step), name_of(r.kind), r.place.op,
                        r.place.module);
  }
  if (peak.alive.size() > most) text += fmt::format("and {} more\n", peak.alive.size() - most);
  return text;
}

void to_json(nlohmann::json& json, const Memory& memory) {
  constexpr std::size_t kMoments = 400;
  const Memory::Peak peak = memory.peak();
  json = {{"peak_bytes", peak.at.bytes},
          {"at",
           {{"op", peak.place.op},
            {"module", peak.place.module},
            {"step", peak.step},
            {"phase", name_of(peak.at.phase)},
            {"node", peak.at.node}}},
          {"alive", nlohmann::json::array()},
          {"modules", nlohmann::json::array()},
          {"timeline", nlohmann::json::array()}};
  for (const Memory::Row& r : peak.alive) {
    nlohmann::json row{{"op", r.place.op}, {"module", r.place.module}, {"kind", name_of(r.kind)},
                       {"bytes", r.bytes}, {"nodes", r.nodes},         {"steps", nullptr}};
    if (r.first_step >= 0) row["steps"] = {r.first_step, r.last_step};
    json["alive"].push_back(std::move(row));
  }
  for (const auto& [module, bytes] :
       by_module<std::size_t>(peak.alive, [](std::size_t&sum, const Memory::Row&row) { sum += row.bytes; }))
    if (!module.empty()) json["modules"].push_back({{"module", module}, {"bytes", bytes}});
  const std::vector<Memory::Moment>& all = memory.timeline();
  const std::size_t run = (all.size() + kMoments - 1) / kMoments;
  for (std::size_t begin = 0; begin < all.size(); begin += run) {
    const auto part = std::span(all).subspan(begin, std::min(run, all.size() - begin));
    const Memory::Moment& m = *std::ranges::max_element(part, {}, &Memory::Moment::bytes);
    json["timeline"].push_back({m.node, name_of(m.phase), m.bytes});
  }
}

}  // namespace unroll::inspect
