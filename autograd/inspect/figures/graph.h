// A tape as a graph: modules, boxes of operations in them, and what flows from box to box.
//
//   std::ofstream("net.dot") << inspect::to_dot(inspect::graph_of(tape));
//   dot -Tsvg net.dot -o net.svg
//
// A box is what a cell computes in one time step, or a run of operations of one module outside of time.
// Collapsed, as it is by default, boxes of one recurrence that do the same are one, and so are those of a
// loop outside of recurrences: a net of 500 steps in two directions has a dozen. In full, every operation is
// shown, time steps and modules as frames around.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "autograd/inspect/figures/listing.h"

namespace unroll::inspect {

struct Graph {
  static constexpr std::size_t kNone = ~std::size_t{0};

  /// In an order in which parents come first. The first, "", is around all.
  struct Module {
    std::string path;
    std::string type;    // "Gru"; "" of a scope that is only a name
    std::size_t parent;  // kNone of the first
  };
  struct Box {
    std::size_t module;
    std::optional<std::pair<std::int32_t, std::int32_t>>
        steps;                 // first and last; none outside of recurrences
    std::uint32_t recurrence;  // its number, Node::recurrence; autograd::kNone outside
    std::size_t count;         // of the boxes that this one stands for
    std::size_t bytes;         // of all of them
    std::vector<Line> nodes;   // of one of them, the largest if a ragged batch makes some smaller
    std::vector<std::uint32_t> stands_for;  // all nodes of the tape in it
  };
  struct Edge {
    std::size_t from, to;  // boxes
    std::size_t count;     // operations in `to` that read something of `from`
    bool recurrent;        // from a time step to another of the same recurrence
  };
  /// Between nodes of the tape, positions there; in full graphs only.
  struct Link {
    std::uint32_t from, to;
    bool recurrent;
  };

  std::vector<Module> modules;
  std::vector<Box> boxes;
  std::vector<Edge> edges;
  std::vector<Link> links;
};

enum class Detail { collapsed, full };
Graph graph_of(const Tape& tape, Detail detail = Detail::collapsed);

/// For Graphviz.
std::string to_dot(const Graph& graph);
/// What many nodes have in common is said once, as a kind: a thousand steps of a cell are ten thousand nodes.
/// Modules, kinds and boxes are meant by their positions in these lists, nodes by theirs on the tape.
/// {"modules": [{"path", "type", "parent"}],
///  "kinds": [{"op", "shape", "where", "bytes", "needs_gradient"}],
///  "boxes": [{"module", "steps": [first, last] or null, "recurrence" or null, "count", "bytes",
///             "nodes": [{"node", "kind", "inputs": [...]}]}],
///  "edges": [{"from", "to", "count", "recurrent"}],
///  "links": [{"from", "to", "recurrent"}]}
void to_json(nlohmann::json& json, const Graph& graph);

}  // namespace unroll::inspect
