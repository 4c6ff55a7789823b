// Where the time of passes goes, and what is computed in it: by op, module and phase.
//
//   inspect::Profile profile;
//   {
//     const auto attached = tape.attach(profile);
//     ... any number of passes ...
//   }
//   std::cout << to_string(profile);
#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "autograd/inspect/figures/places.h"
#include "autograd/op.h"

namespace unroll::inspect {

using autograd::Phase;
using autograd::Tape;
using autograd::Work;

/// What a phase of a node does. The products put off for a weight [K, N] are 2 M K N operations over all M
/// rows of their factors, which are read, and added to the weight's gradient.
Work work_of(const Tape& tape, std::uint32_t node, Phase phase);

/// Adds up what it is told of one tape, and of the inner tapes of recomputed segments. A phase costs two
/// reads of the processor's clock and the look-up of a row, about a tenth of a microsecond.
class Profile : public Observer {
 public:
  /// Whether every phase is remembered by itself, for a trace: 40 bytes each.
  enum class Spans : bool { dropped, kept };
  explicit Profile(Spans spans = Spans::dropped);

  struct Row {
    ModuleOp place;
    Phase phase;
    std::uint64_t count = 0;  // of nodes; in deferred, of weights
    double ns = 0;            // without the time of inner nodes, which have rows of their own
    Work work;
  };
  /// Those that took longest first.
  std::vector<Row> rows() const;

  struct Span {
    const ModuleOp* place;
    Phase phase;
    std::int32_t step;  // -1 outside of recurrences
    double begin, end;  // ns since the profile was made, or cleared
  };
  /// In the order in which they began, inner ones after the one around them; valid until more is recorded.
  std::vector<Span> spans() const;

  /// Forgets all.
  void clear();

  bool reads_values() const override { return false; }
  void begin(Tape& tape, std::uint32_t node, Phase phase) override;
  void end(Tape& tape, std::uint32_t node, Phase phase) override;
  void abandoned(Tape& tape, std::uint32_t node, Phase phase) override;

 private:
  using Ticks = std::uint64_t;
  struct Sum {
    std::uint64_t count = 0;
    Ticks ticks = 0;
    Work work;
  };
  struct Open {
    Ticks begin, inner;  // of inner nodes
  };
  struct Kept {
    Ticks begin, end;
    std::uint32_t place;
    Phase phase;
    std::int32_t step;
  };
  double nanoseconds_per_tick() const;

  Spans keeps_spans_;
  Ticks first_tick_;
  std::chrono::steady_clock::time_point first_time_;
  Places places_;
  std::vector<std::array<Sum, 3>> sums_;  // by place and phase
  std::vector<Open> open_;
  std::vector<Kept> spans_;
};

struct ProfileSum {
  std::uint64_t count = 0;
  double ns = 0;
  Work work;
};
/// Of each module with what is in it; "" is all.
std::map<std::string, ProfileSum> by_module(std::span<const Profile::Row> rows);
std::map<std::string, ProfileSum> by_module(const Profile& profile);
/// A table of the rows, the longest first.
std::string to_string(const Profile& profile, std::size_t most = 25);
/// {"rows": [{"op", "module", "phase", "count", "ns", "flops", "bytes"}],
///  "modules": [{"module", "ns", "flops", "bytes"}],     each with what is in it
///  "ns", "flops", "bytes"}
void to_json(nlohmann::json& json, const Profile& profile);

}  // namespace unroll::inspect
