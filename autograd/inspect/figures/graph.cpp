#include "autograd/inspect/figures/graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <tuple>
#include <unordered_map>

#include "autograd/op.h"

namespace unroll::inspect {

namespace {

using autograd::Node;
using autograd::Scopes;
using autograd::Value;
constexpr std::uint32_t kNothing = autograd::kNone;

// -- Who made a value.

class Makers {
 public:
  explicit Makers(const Tape& tape) : tape_(tape) {
    for (std::uint32_t n = 0; n < tape.nodes().size(); ++n)
      for (std::uint32_t o = 0; o < tape.nodes()[n].output_count; ++o) {
        const std::uint32_t root = tape.value(tape.nodes()[n].first_output + o).buffer;
        if (is_joined(root)) pieces_[root].push_back(tape.nodes()[n].first_output + o);
      }
    for (auto& [root, pieces] : pieces_)
      std::ranges::sort(pieces, {}, [&](std::uint32_t id) { return tape.value(id).data; });
  }
  // Calls f(node) for each node that made some of the elements of a value.
  template <class F>
  void each(std::uint32_t id, F f) const {
    const Value& v = tape_.value(id);
    if (v.node == kNothing) return;
    const auto pieces = pieces_.find(v.buffer);
    if (pieces == pieces_.end()) return f(v.node);
    const Index elements = (v.shape.rows() - 1) * v.stride + v.shape.cols();
    const std::byte* end = v.data + elements * static_cast<Index>(size_of(tape_.dtype()));
    auto piece = std::ranges::upper_bound(pieces->second, v.data, {},
                                          [&](std::uint32_t p) { return tape_.value(p).data; });
    for (--piece; piece != pieces->second.end() && tape_.value(*piece).data < end; ++piece)
      f(tape_.value(*piece).node);
  }

 private:
  // GatheredRows give their pieces a buffer that no node made.
  bool is_joined(std::uint32_t root) const {
    const std::uint32_t id = tape_.records().buffers[root].value;
    const Value& v = tape_.value(id);
    if (v.node == kNothing) return false;
    const Node& maker = tape_.nodes()[v.node];
    return id < maker.first_output || id >= maker.first_output + maker.output_count;
  }
  const Tape& tape_;
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> pieces_;
};

// -- Modules.

class Modules {
 public:
  Modules(const Tape& tape, Graph& graph) : tape_(tape), graph_(graph) {
    graph.modules.push_back({"", "", Graph::kNone});
    index_[""] = 0;
  }
  // Adds the module of a scope, and those around it.
  std::size_t of(std::uint32_t scope) {
    if (scope == kNothing) return 0;
    const auto known = of_scope_.find(scope);
    if (known != of_scope_.end()) return known->second;
    const Scopes::Record& record = tape_.scopes()[scope];
    const std::size_t around = of(record.parent);
    const auto [entry, is_new] = index_.try_emplace(record.path, graph_.modules.size());
    if (is_new) graph_.modules.push_back({record.path, "", prefix(record.path, around)});
    std::string& type = graph_.modules[entry->second].type;
    if (type.empty() && record.type) type = record.type->name;
    return of_scope_[scope] = entry->second;
  }

 private:
  // The longest path of a module that this one is in.
  std::size_t prefix(std::string path, std::size_t around) const {
    while (!path.empty()) {
      const std::size_t dot = path.rfind('.');
      path.resize(dot == std::string::npos ? 0 : dot);
      if (const auto found = index_.find(path); found != index_.end() && found->second != 0)
        return found->second;
    }
    return graph_.modules[around].path.empty() ? around : 0;
  }
  const Tape& tape_;
  Graph& graph_;
  std::map<std::string, std::size_t, std::less<>> index_;  // by path
  std::unordered_map<std::uint32_t, std::size_t> of_scope_;
};

// -- Boxes.

// A box as it was recorded.
struct Piece {
  std::uint32_t scope;  // of the cell, or of the operations
  std::int32_t step;    // -1 outside of recurrences
  std::uint32_t recurrence;
  std::vector<std::uint32_t> nodes;
};

// The cell that takes a time step, or kNothing.
std::uint32_t cell_of(const Tape& tape, const Node& node) {
  if (node.step < 0) return kNothing;
  std::uint32_t scope = node.scope;
  while (scope != kNothing && !(tape.scopes()[scope].type && tape.scopes()[scope].type->is_cell))
    scope = tape.scopes()[scope].parent;
  return scope == kNothing ? node.scope : scope;
}

std::vector<Piece> cut(const Tape& tape) {
  std::vector<Piece> pieces;
  for (std::uint32_t n = 0; n < tape.nodes().size(); ++n) {
    const Node& node = tape.nodes()[n];
    const std::uint32_t scope = node.step >= 0 ? cell_of(tape, node) : node.scope;
    const bool goes_on = !pieces.empty() && pieces.back().scope == scope && pieces.back().step == node.step &&
                         pieces.back().recurrence == node.recurrence;
    if (goes_on)
      pieces.back().nodes.push_back(n);
    else
      pieces.push_back({scope, node.step, node.recurrence, {n}});
  }
  return pieces;
}

// What a piece does, whatever its batch: equal for those that are to be one box.
std::string signature(const Tape& tape, const Piece& piece) {
  std::string text = fmt::format("{} {};", piece.scope, piece.recurrence);
  for (std::uint32_t n : piece.nodes) {
    const Node& node = tape.nodes()[n];
    text += fmt::format("{} {} {}", node.table->name(node.op), node.location.line, node.wants_gradient);
    for (std::uint32_t o = 0; o < node.output_count; ++o)
      text += fmt::format(" {}", tape.value(node.first_output + o).shape.cols());
    for (std::uint32_t i = 0; i < node.input_count; ++i) {
      const Value& in = tape.value(node.inputs[i]);
      if (const auto* parameter = tape.records().parameter(tape.buffer(in)))
        text += fmt::format(" '{}'", static_cast<const void*>(parameter));
      else if (in.node != kNothing && in.node >= piece.nodes.front())
        text += fmt::format(" {}", in.node - piece.nodes.front());
      else
        text += " -";
    }
    text += ';';
  }
  return text;
}

std::size_t bytes_of(std::span<const Line> lines) {
  std::size_t bytes = 0;
  for (const Line& line : lines) bytes += line.bytes;
  return bytes;
}

}  // namespace

Graph graph_of(const Tape& tape, Detail detail) {
  Graph graph;
  Modules modules(tape, graph);
  const Makers makers(tape);
  std::vector<std::size_t> box_of(tape.nodes().size());
  std::unordered_map<std::string, std::size_t> known;

  for (const Piece& piece : cut(tape)) {
    std::size_t box = graph.boxes.size();
    if (detail == Detail::collapsed) box = known.try_emplace(signature(tape, piece), box).first->second;
    if (box == graph.boxes.size()) {
      graph.boxes.push_back({modules.of(piece.scope), {}, piece.recurrence, 0, 0, {}, {}});
      if (piece.step >= 0) graph.boxes.back().steps = {piece.step, piece.step};
    }
    Graph::Box& b = graph.boxes[box];
    std::vector<Line> lines;
    for (std::uint32_t n : piece.nodes) {
      lines.push_back(line_of(tape, n));
      b.stands_for.push_back(n);
      box_of[n] = box;
    }
    ++b.count;
    b.bytes += bytes_of(lines);
    if (b.steps) b.steps = {std::min(b.steps->first, piece.step), std::max(b.steps->second, piece.step)};
    if (bytes_of(lines) > bytes_of(b.nodes) || b.nodes.empty()) b.nodes = std::move(lines);
  }

  auto of_one_recurrence = [&](std::size_t a, std::size_t b) {
    return graph.boxes[a].recurrence != kNothing && graph.boxes[a].recurrence == graph.boxes[b].recurrence;
  };
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> counts;
  for (std::uint32_t n = 0; n < tape.nodes().size(); ++n) {
    const Node& node = tape.nodes()[n];
    std::vector<std::uint32_t> from;
    for (std::uint32_t i = 0; i < node.input_count; ++i)
      makers.each(node.inputs[i], [&](std::uint32_t maker) { from.push_back(maker); });
    std::ranges::sort(from);
    from.erase(std::unique(from.begin(), from.end()), from.end());
    std::vector<std::size_t> boxes;
    for (std::uint32_t maker : from) {
      const Node& made_by = tape.nodes()[maker];
      const bool same_piece = box_of[maker] == box_of[n] && made_by.step == node.step;
      const bool recurrent = !same_piece && of_one_recurrence(box_of[n], box_of[maker]);
      if (detail == Detail::full) graph.links.push_back({maker, n, recurrent});
      if (!same_piece) boxes.push_back(box_of[maker]);
    }
    std::ranges::sort(boxes);
    boxes.erase(std::unique(boxes.begin(), boxes.end()), boxes.end());
    for (std::size_t b : boxes) ++counts[{b, box_of[n]}];
  }
  for (const auto& [ends, count] : counts) {
    const auto [from, to] = ends;
    graph.edges.push_back({from, to, count, from == to || of_one_recurrence(from, to)});
  }
  return graph;
}

// -- Text.

namespace {

std::string in_quotes(std::string_view text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (c == '\n')
      result += "\\n";
    else
      result += c;
  }
  return result + '"';
}

std::string bytes_text(std::size_t bytes) {
  const double b = static_cast<double>(bytes);
  return bytes < 1000      ? fmt::format("{} B", bytes)
         : bytes < 1000000 ? fmt::format("{:.1f} kB", b / 1e3)
                           : fmt::format("{:.1f} MB", b / 1e6);
}

std::string steps_text(const Graph::Box& box) {
  const auto [first, last] = *box.steps;
  if (first == last) return fmt::format("step {}", first);
  std::string text = fmt::format("steps {}..{}", first, last);
  if (static_cast<std::size_t>(last - first + 1) != box.count) text += fmt::format(", {} of them", box.count);
  return text;
}

// The operations, equal neighbours as one.
std::string ops_text(const Graph::Box& box) {
  constexpr std::size_t kShown = 12;
  std::vector<std::pair<std::string, std::size_t>> ops;
  for (const Line& line : box.nodes) {
    std::string op = fmt::format("{} {}", line.op, line.shape_text());
    if (!ops.empty() && ops.back().first == op)
      ++ops.back().second;
    else
      ops.emplace_back(std::move(op), 1);
  }
  std::string text;
  for (std::size_t i = 0; i < std::min(ops.size(), kShown); ++i)
    text += (i ? "\n" : "") + ops[i].first + (ops[i].second > 1 ? fmt::format(" x {}", ops[i].second) : "");
  if (ops.size() > kShown) text += fmt::format("\nand {} more", ops.size() - kShown);
  return text;
}

class Dot {
 public:
  explicit Dot(const Graph& graph) : graph_(graph) {}
  std::string text() {
    out_ =
        "digraph tape {\n"
        "  node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=\"sans-serif\", "
        "fontsize=11];\n"
        "  edge [fontname=\"sans-serif\", fontsize=10];\n"
        "  graph [fontname=\"sans-serif\", fontsize=12, labeljust=l, style=rounded, color=gray50];\n";
    module(0, "  ");
    graph_.links.empty() ? edges() : links();
    return out_ + "}\n";
  }

 private:
  void module(std::size_t m, const std::string& indent) {
    for (std::size_t b = 0; b < graph_.boxes.size(); ++b)
      if (graph_.boxes[b].module == m) box(b, indent);
    for (std::size_t child = m + 1; child < graph_.modules.size(); ++child) {
      if (graph_.modules[child].parent != m) continue;
      const Graph::Module& of = graph_.modules[child];
      out_ += fmt::format("{}subgraph cluster_{} {{\n{}  label={};\n", indent, child, indent,
                          in_quotes(name(of) + (of.type.empty() ? "" : "  " + of.type)));
      module(child, indent + "  ");
      out_ += indent + "}\n";
    }
  }
  // Its path inside the module around it.
  std::string name(const Graph::Module& of) const {
    const std::string& around = graph_.modules[of.parent].path;
    return of.path.substr(around.empty() || !of.path.starts_with(around + ".") ? 0 : around.size() + 1);
  }
  void box(std::size_t b, const std::string& indent) {
    const Graph::Box& of = graph_.boxes[b];
    if (graph_.links.empty()) {
      const std::string head = of.steps ? steps_text(of) + "\n" : "";
      out_ += fmt::format("{}b{} [label={}];\n", indent, b,
                          in_quotes(head + ops_text(of) + "\n" + bytes_text(of.bytes)));
      return;
    }
    if (of.steps)
      out_ += fmt::format("{}subgraph cluster_step_{} {{\n{}  label={}; style=dashed;\n", indent, b, indent,
                          in_quotes(steps_text(of)));
    for (const Line& line : of.nodes)
      out_ += fmt::format("{}  n{} [label={}];\n", indent, line.node,
                          in_quotes(fmt::format("{} {}\n{}", line.op, line.shape_text(), line.location)));
    if (of.steps) out_ += indent + "}\n";
  }
  void edges() {
    for (const Graph::Edge& e : graph_.edges) {
      const std::string look = e.recurrent   ? " [style=dashed, constraint=false]"
                               : e.count > 1 ? fmt::format(" [label=\"x {}\"]", e.count)
                                             : "";
      out_ += fmt::format("  b{} -> b{}{};\n", e.from, e.to, look);
    }
  }
  void links() {
    for (const Graph::Link& l : graph_.links)
      out_ += fmt::format("  n{} -> n{}{};\n", l.from, l.to, l.recurrent ? " [style=dashed]" : "");
  }
  const Graph& graph_;
  std::string out_;
};

}  // namespace

std::string to_dot(const Graph& graph) { return Dot(graph).text(); }

namespace {

class Kinds {
 public:
  std::size_t of(const Line& line) {
    const auto [kind, is_new] = known_.try_emplace(
        {line.op, line.shape_text(), line.location, line.bytes, line.wants_gradient}, json_.size());
    if (is_new)
      json_.push_back({{"op", line.op},
                       {"shape", line.shape_text()},
                       {"where", line.location},
                       {"bytes", line.bytes},
                       {"needs_gradient", line.wants_gradient}});
    return kind->second;
  }
  const nlohmann::json& json() const { return json_; }

 private:
  std::map<std::tuple<std::string, std::string, std::string, std::size_t, bool>, std::size_t> known_;
  nlohmann::json json_ = nlohmann::json::array();
};

}  // namespace

void to_json(nlohmann::json& json, const Graph& graph) {
  Kinds kinds;
  const nlohmann::json none = nlohmann::json::array();
  json = {{"modules", none}, {"boxes", none}, {"edges", none}, {"links", none}};
  for (const Graph::Module& m : graph.modules) {
    json["modules"].push_back({{"path", m.path}, {"type", m.type}, {"parent", nullptr}});
    if (m.parent != Graph::kNone) json["modules"].back()["parent"] = m.parent;
  }
  for (const Graph::Box& b : graph.boxes) {
    nlohmann::json nodes = none;
    for (const Line& line : b.nodes)
      nodes.push_back({{"node", line.node}, {"kind", kinds.of(line)}, {"inputs", line.inputs}});
    json["boxes"].push_back({{"module", b.module},
                             {"steps", nullptr},
                             {"recurrence", nullptr},
                             {"count", b.count},
                             {"bytes", b.bytes},
                             {"nodes", std::move(nodes)}});
    if (!b.steps) continue;
    json["boxes"].back()["steps"] = {b.steps->first, b.steps->second};
    json["boxes"].back()["recurrence"] = b.recurrence;
  }
  for (const Graph::Edge& e : graph.edges)
    json["edges"].push_back({{"from", e.from}, {"to", e.to}, {"count", e.count}, {"recurrent", e.recurrent}});
  for (const Graph::Link& l : graph.links)
    json["links"].push_back({{"from", l.from}, {"to", l.to}, {"recurrent", l.recurrent}});
  json["kinds"] = kinds.json();
}

}  // namespace unroll::inspect
