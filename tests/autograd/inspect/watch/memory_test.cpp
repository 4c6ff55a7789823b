#include "autograd/inspect/watch/memory.h"

#include <doctest/doctest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "nn/nn.h"
#include "ops/reduce.h"

using namespace unroll;
using autograd::Phase;
using inspect::Memory;

namespace {

std::size_t bytes_of(const Memory::Peak& peak, Memory::Kind kind, const std::string& op = "") {
  std::size_t bytes = 0;
  for (const Memory::Row& row : peak.alive)
    if (row.kind == kind && (op.empty() || row.place.op == op)) bytes += row.bytes;
  return bytes;
}
std::size_t sum_of(const Memory::Peak& peak) {
  return std::accumulate(peak.alive.begin(), peak.alive.end(), std::size_t{0},
                         [](std::size_t sum, const Memory::Row& row) { return sum + row.bytes; });
}

constexpr std::size_t kMegabyte = std::size_t{1} << 20;

}  // namespace

TEST_CASE("the peak of a small pass, by hand") {
  Tape tape;
  Gradients gradients;
  Memory memory;
  const auto attached = tape.attach(memory);
  const Var x = tape.variable(Tensor({1024, 256}));  // one megabyte
  const Var y = exp(tanh(x));
  tape.backward(sum(y), gradients);
  const Memory::Peak peak = memory.peak();
  // In the backward of exp both its gradients are alive, and that of the sum; in that of tanh, too.
  CHECK(peak.place.op == "exp");
  CHECK(peak.at.phase == Phase::backward);
  CHECK(peak.at.node == 1);
  CHECK(bytes_of(peak, Memory::Kind::gradients) == 2 * kMegabyte);
  CHECK(bytes_of(peak, Memory::Kind::gradients, "exp") == kMegabyte);
  CHECK(bytes_of(peak, Memory::Kind::gradients, "tanh") == kMegabyte);
  CHECK(bytes_of(peak, Memory::Kind::scratch) == 0);
  CHECK(bytes_of(peak, Memory::Kind::packed) == 0);
  CHECK(bytes_of(peak, Memory::Kind::values) == tape.arena().used());
  CHECK(bytes_of(peak, Memory::Kind::values, "exp") > kMegabyte);
  CHECK(bytes_of(peak, Memory::Kind::values, "exp") < kMegabyte + 1024);
  CHECK(bytes_of(peak, Memory::Kind::values, "tanh") > 2 * kMegabyte);  // with the leaf before it
  CHECK(sum_of(peak) == peak.at.bytes);
  CHECK(memory.timeline().size() == 3 + 3);
}

TEST_CASE("scratch and packed weights are told apart") {
  Generator random(1);
  const Lstm lstm(256, 256, random);  // large enough to be packed
  const Layout layout = Layout::uniform(8, 4);
  Tape tape;
  Gradients gradients;
  Memory memory;
  const auto attached = tape.attach(memory);
  const Var rows = scan(lstm, {tape.full({32, 256}, 0.5), &layout}).outputs.rows;
  tape.backward(sum(max(rows, Axis(0))), gradients);
  const Memory::Peak peak = memory.peak();
  CHECK(sum_of(peak) == peak.at.bytes);
  CHECK(bytes_of(peak, Memory::Kind::packed) == tape.usage().packed);
  CHECK(bytes_of(peak, Memory::Kind::packed) == bytes_of(peak, Memory::Kind::packed, "matmul"));
  CHECK(peak.at.bytes <= tape.memory());
  for (const Memory::Row& row : peak.alive)
    if (row.place.op == "lstm" && row.kind == Memory::Kind::values) {
      REQUIRE(row.nodes.size() == 4);
      for (const std::uint32_t node : row.nodes)
        CHECK(tape.nodes()[node].table->name(tape.nodes()[node].op) == std::string("lstm"));
      CHECK(row.first_step == 0);
      CHECK(row.last_step == 3);
    }
}

TEST_CASE("what is alive adds up to the peak in recomputed segments and in passes without gradients") {
  Generator random(1);
  const Gru gru(16, 24, random);
  const Layout layout(std::vector<int>{9, 12, 3});
  Tape tape;
  Gradients gradients;
  Memory memory;
  const auto attached = tape.attach(memory);
  tape.backward(sum(scan_recomputed(gru, {tape.full({24, 16}, 0.5), &layout}, 4).outputs.rows), gradients);
  const Memory::Peak recomputed = memory.peak();
  CHECK(sum_of(recomputed) == recomputed.at.bytes);
  CHECK(recomputed.at.phase != Phase::forward);
  CHECK(recomputed.at.bytes <= tape.memory());
  tape.clear();

  Memory alone;
  const auto also = tape.attach(alone);
  const auto silent = tape.no_gradient();
  (void)scan(gru, {tape.full({24, 16}, 0.5), &layout});
  CHECK(sum_of(alone.peak()) == alone.peak().at.bytes);
  CHECK(alone.peak().at.bytes < recomputed.at.bytes);
  CHECK(memory.peak().at.bytes == recomputed.at.bytes);  // of all passes
  CHECK(memory.timeline().size() == alone.timeline().size());
}

TEST_CASE("the largest of several passes is kept") {
  Tape tape;
  Memory memory;
  const auto attached = tape.attach(memory);
  for (Index rows : {10, 1000, 100}) {
    const auto scope = tape.scope(std::to_string(rows));
    (void)exp(tape.full({rows, 16}, 1));
    tape.clear();
  }
  const Memory::Peak peak = memory.peak();
  CHECK(peak.place.module == "1000");
  CHECK(peak.at.bytes >= 2 * 1000 * 16 * 4);
  CHECK(sum_of(peak) == peak.at.bytes);
}

TEST_CASE("what is alive is added up by module, with what is in it") {
  Generator random(1);
  const Stack<Unidirectional<Gru>> net{{{Gru(3, 8, random)}, {Gru(8, 8, random)}}};
  const Layout layout = Layout::uniform(2, 5);
  Tape tape;
  Memory memory;
  const auto attached = tape.attach(memory);
  {
    const auto scope = enter(tape, net, "net");
    (void)net({tape.full({10, 3}, 0.5), &layout});
  }
  const nlohmann::json json = memory;
  std::map<std::string, std::size_t> bytes, of_rows;
  for (const auto& sum : json["modules"]) bytes[sum["module"]] = sum["bytes"];
  for (const auto& row : json["alive"]) of_rows[row["module"]] += row["bytes"].get<std::size_t>();
  CHECK(bytes["net"] == bytes["net.layers.0"] + bytes["net.layers.1"] + of_rows["net"]);
  CHECK(bytes["net.layers.0"] == bytes["net.layers.0.cell"] + of_rows["net.layers.0"]);
  CHECK(bytes["net"] == sum_of(memory.peak()));
}

TEST_CASE("memory as JSON and as text") {
  CHECK(nlohmann::json(Memory())["peak_bytes"] == 0);
  Generator random(1);
  const Lstm lstm(4, 8, random);
  const Layout layout = Layout::uniform(2, 500);
  Tape tape;
  Gradients gradients;
  Memory memory;
  const auto attached = tape.attach(memory);
  tape.backward(sum(scan(lstm, {tape.full({1000, 4}, 0.5), &layout}).outputs.rows), gradients);
  const nlohmann::json json = memory;
  const Memory::Peak peak = memory.peak();
  CHECK(json["peak_bytes"] == peak.at.bytes);
  CHECK(json["at"]["op"] == peak.place.op);
  CHECK(json["at"]["phase"] == name_of(peak.at.phase));
  std::size_t sum = 0, largest = 0;
  for (const auto& row : json["alive"]) sum += row["bytes"].get<std::size_t>();
  CHECK(sum == peak.at.bytes);
  CHECK(memory.timeline().size() > 2000);
  CHECK(json["timeline"].size() <= 400);
  for (const auto& moment : json["timeline"]) largest = std::max(largest, moment[2].get<std::size_t>());
  CHECK(largest == peak.at.bytes);
  CHECK(to_string(memory).find("lstm") != std::string::npos);
}
