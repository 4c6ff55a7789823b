#include "autograd/inspect/watch/profile.h"

#include <doctest/doctest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

#include "nn/nn.h"
#include "ops/matmul.h"

using namespace unroll;
using autograd::Phase;
using inspect::Profile;
using ops::Transpose;

namespace {

Profile::Row row_of(const Profile& profile, const std::string& op, Phase phase) {
  std::optional<Profile::Row> found;
  for (const Profile::Row& row : profile.rows())
    if (row.place.op == op && row.phase == phase) {
      CHECK_FALSE(found);  // one module only
      found = row;
    }
  REQUIRE(found);
  return *found;
}

// An op with a name of the caller's.
struct Named {
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 0, reads_outputs = 0;
  const char* label;
  Shape shape(const autograd::Inputs& in) const { return in[0]; }
  template <class T>
  void forward(autograd::Forward<T>& context) const {
    if (std::string(label) == "throws") throw std::runtime_error("by an op");
    context.out().data[0] = 0;
  }
  template <class T>
  void backward(autograd::Backward<T>& context) const {
    (void)context.add_to(0);
  }
};

constexpr Index kM = 7, kK = 5, kN = 3;
constexpr double kProduct = 2.0 * kM * kN * kK, kA = kM * kK, kB = kK * kN, kOut = kM * kN;

}  // namespace

TEST_CASE("operations and bytes of a matmul are those of the formula") {
  for (DType dtype : {f32, f64})
    for (Transpose ta : {Transpose::no, Transpose::yes})
      for (Transpose tb : {Transpose::no, Transpose::yes})
        for (bool wants_a : {false, true})
          for (bool wants_b : {false, true}) {
            if (!wants_a && !wants_b) continue;
            const double bytes = static_cast<double>(autograd::size_of(dtype));
            const Tensor a(ta == Transpose::yes ? Shape{kK, kM} : Shape{kM, kK});
            const Tensor b(tb == Transpose::yes ? Shape{kN, kK} : Shape{kK, kN});
            Tape tape(dtype);
            Gradients gradients;
            Profile profile;
            const auto attached = tape.attach(profile);
            const Var x = wants_a ? tape.variable(a) : tape.constant(a);
            const Var w = wants_b ? tape.variable(b) : tape.constant(b);
            tape.backward(matmul(x, w, ta, tb), Tensor({kM, kN}), gradients);

            const Profile::Row forward = row_of(profile, "matmul", Phase::forward);
            CHECK(forward.count == 1);
            CHECK(forward.work.operations == kProduct);
            CHECK(forward.work.bytes == bytes * (kA + kB + kOut));
            const Profile::Row backward = row_of(profile, "matmul", Phase::backward);
            const bool puts_off = wants_b && ta == Transpose::no;
            const bool b_now = wants_b && !puts_off;
            const int products = wants_a + b_now;
            CHECK(backward.work.operations == kProduct * products);
            CHECK(backward.work.bytes == bytes * (products ? kOut + products * (kA + kB) : 0));
            if (!puts_off) continue;
            const Profile::Row deferred = row_of(profile, "matmul", Phase::deferred);
            CHECK(deferred.work.operations == kProduct);
            CHECK(deferred.work.bytes == bytes * (kA + kOut + kB));
          }
}

TEST_CASE("addends of a matmul cost their sum") {
  Generator random(1);
  const Linear linear(kK, kN, random);
  Tape tape;
  Gradients gradients;
  Profile profile;
  const auto attached = tape.attach(profile);
  const Var out = affine(tape.constant(Tensor({kM, kK})), linear.weight, linear.bias);
  tape.backward(add_matmul(out, tape.constant(Tensor({kM, kK})), tape.constant(Tensor({kK, kN}))),
                Tensor({kM, kN}), gradients);
  CHECK(row_of(profile, "matmul", Phase::forward).work.operations == 2 * kProduct);
  CHECK(row_of(profile, "matmul", Phase::forward).work.bytes ==
        4 * (kA + kB + kN + kOut + kA + kB + kOut + kOut));
  // The gradients of the addend, and of the bias; no product, as no input wants one.
  CHECK(row_of(profile, "matmul", Phase::backward).work.operations == 2 * kOut);
  CHECK(row_of(profile, "matmul", Phase::backward).work.bytes == 4 * (kOut + kOut + kOut + kN));
}

TEST_CASE("a profile of a recurrence: counts, products over all rows, time") {
  constexpr Index batch = 4, steps = 6, in = 3, hidden = 8;
  Generator random(1);
  const Lstm lstm(in, hidden, random);
  const Layout layout = Layout::uniform(batch, steps);
  Tape tape;
  Gradients gradients;
  Profile profile;
  const auto start = std::chrono::steady_clock::now();
  for (int pass = 0; pass < 2; ++pass) {
    const auto attached = tape.attach(profile);
    tape.backward(sum(scan(lstm, {tape.full({batch * steps, in}, 0.5), &layout}).outputs.rows), gradients);
    tape.clear();
  }
  const double elapsed =
      std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
  CHECK(row_of(profile, "lstm", Phase::forward).count == 2 * steps);
  CHECK(row_of(profile, "lstm", Phase::backward).count == 2 * steps);
  const Profile::Row deferred = row_of(profile, "matmul", Phase::deferred);
  CHECK(deferred.count == 2 * 2);  // two weights
  // The first step from zeros has no recurrent product.
  const double input = 2.0 * batch * steps * in * 4 * hidden;
  const double recurrent = 2.0 * batch * (steps - 1) * hidden * 4 * hidden;
  CHECK(deferred.work.operations == 2 * (input + recurrent));
  CHECK(row_of(profile, "matmul", Phase::forward).work.operations == 2 * (input + recurrent));

  const inspect::ProfileSum total = by_module(profile).at("");
  CHECK(total.ns > 0);
  CHECK(total.ns < elapsed);
  for (const Profile::Row& row : profile.rows()) CHECK(row.ns >= 0);
  CHECK(std::ranges::is_sorted(profile.rows(), std::greater(), &Profile::Row::ns));
}

TEST_CASE("time of recomputed segments is counted once, in the rows of their nodes") {
  Generator random(1);
  const Gru gru(3, 8, random);
  const Layout layout = Layout::uniform(4, 6);
  Tape tape;
  Gradients gradients;
  Profile profile(Profile::Spans::kept);
  const auto attached = tape.attach(profile);
  tape.backward(sum(last_state_recomputed(gru, {tape.full({24, 3}, 0.5), &layout}, 2)), gradients);
  const auto spans = profile.spans();
  double outermost = 0, end = 0;
  for (const Profile::Span& s : spans) {
    if (s.begin < end) continue;
    outermost += s.end - s.begin;
    end = s.end;
  }
  CHECK(by_module(profile).at("").ns == doctest::Approx(outermost).epsilon(1e-3));
  const Profile::Row around = row_of(profile, "recompute", Phase::backward);
  CHECK(around.count == 3);
  CHECK(around.work.operations == 0);
  CHECK(row_of(profile, "gru", Phase::forward).count == 2 * 6);
}

TEST_CASE("rows are told apart by module, and by the text of names") {
  Tape tape;
  Profile profile;
  const auto attached = tape.attach(profile);
  const Var x = tape.full({1}, 1);
  std::string name = "first";
  tape.record(Named{name.c_str()}, {x}, SourceLocation::current());
  name[0] = 'b';  // at the same place in memory
  tape.record(Named{name.c_str()}, {x}, SourceLocation::current());
  {
    const auto scope = tape.scope("decoder");
    tape.record(Named{name.c_str()}, {x}, SourceLocation::current());
  }
  for (int i = 0; i < 1000; ++i) {
    const auto scope = tape.scope("layer " + std::to_string(i % 500));
    tape.record(Named{name.c_str()}, {x}, SourceLocation::current());
  }
  CHECK(row_of(profile, "first", Phase::forward).count == 1);
  std::uint64_t plain = 0, decoder = 0, layers = 0;
  for (const Profile::Row& row : profile.rows()) {
    if (row.place.op != "birst") continue;
    if (row.place.module.empty()) plain += row.count;
    if (row.place.module == "decoder") decoder += row.count;
    if (row.place.module.starts_with("layer ")) {
      ++layers;
      CHECK(row.count == 2);
    }
  }
  CHECK(plain == 1);
  CHECK(decoder == 1);
  CHECK(layers == 500);
}

TEST_CASE("a node that throws is left out") {
  Tape tape;
  Profile profile(Profile::Spans::kept);
  const auto attached = tape.attach(profile);
  const Var x = tape.full({1}, 1);
  CHECK_THROWS_AS(tape.record(Named{"throws"}, {x}, SourceLocation::current()), std::runtime_error);
  tape.record(Named{"works"}, {x}, SourceLocation::current());
  REQUIRE(profile.rows().size() == 1);
  CHECK(profile.rows()[0].place.op == "works");
  tape.record(Named{"works"}, {x}, SourceLocation::current());
  CHECK(by_module(profile).at("").count == 2);
  CHECK(profile.spans().size() == 2);
}

TEST_CASE("a profile as JSON and as text") {
  Tape tape;
  Profile profile;
  {
    const auto attached = tape.attach(profile);
    const auto scope = tape.scope("net");
    (void)exp(tape.full({2, 3}, 1));
  }
  const nlohmann::json json = profile;
  REQUIRE(json["rows"].size() == 1);
  const nlohmann::json& row = json["rows"][0];
  CHECK(row["op"] == "exp");
  CHECK(row["module"] == "net");
  CHECK(row["phase"] == "forward");
  CHECK(row["count"] == 1);
  CHECK(row["flops"] == 6);
  CHECK(row["bytes"] == 2 * 6 * 4);
  CHECK(row["ns"] == json["ns"]);
  CHECK(to_string(profile).find("exp") != std::string::npos);
  CHECK(nlohmann::json(Profile())["rows"].empty());
}
