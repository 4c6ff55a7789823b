#include "nn/gradients.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace unroll;

namespace {

using State = Gradients::Entry::State;

// b gets only rows 1 and 3.
struct Fixture {
  explicit Fixture(DType dtype) : dtype(dtype), a("a", Shape{2, 3}, dtype), b("b", Shape{5, 19}, dtype) {}
  void fill(Gradients& gradients, double offset = 0) const {
    auto& dense = gradients.of(a.leaf(), dtype);
    dense.touch_all();
    for (Index i = 0; i < 6; ++i) dense.buffer().set(i, static_cast<double>(i) - 2 + offset);
    auto& rows = gradients.of(b.leaf(), dtype);
    for (int r : {3, 1}) {
      rows.touch_row(r);
      for (Index c = 0; c < 19; ++c) rows.buffer().set(r * 19 + c, 0.5 * static_cast<double>(r * c) + offset);
    }
  }
  std::vector<double> all(const Gradients& gradients) const {
    std::vector<double> values = gradients.dense(a).values(), more = gradients.dense(b).values();
    values.insert(values.end(), more.begin(), more.end());
    return values;
  }
  DType dtype;
  Parameter a, b;
};

}  // namespace

TEST_CASE("the global norm, and clipping by it") {
  for (DType dtype : {f32, f64}) {
    Fixture f(dtype);
    Gradients gradients;
    CHECK(nn::global_norm(gradients) == 0);
    f.fill(gradients);
    const std::vector<double> before = f.all(gradients);
    double sum = 0;
    for (double x : before) sum += x * x;
    const double norm = std::sqrt(sum), tolerance = dtype == f64 ? 1e-13 : 1e-6;
    CHECK(global_norm(gradients) == doctest::Approx(norm).epsilon(1e-13));
    CHECK(clip_by_global_norm(gradients, norm * 2) == doctest::Approx(norm).epsilon(1e-13));
    CHECK(f.all(gradients) == before);
    CHECK(clip_by_global_norm(gradients, norm / 4) == doctest::Approx(norm).epsilon(1e-13));
    for (std::size_t i = 0; i < before.size(); ++i)
      CHECK(f.all(gradients)[i] == doctest::Approx(before[i] / 4).epsilon(tolerance));
    CHECK(global_norm(gradients) == doctest::Approx(norm / 4).epsilon(tolerance));
    CHECK(gradients.find(f.b)->state() == State::rows);
    CHECK_THROWS_WITH_AS(clip_by_global_norm(gradients, 0), doctest::Contains("a limit of 0 came"), Error);
    CHECK_THROWS_AS(clip_by_value(gradients, NAN), Error);
  }
}

TEST_CASE("a norm that is not finite is returned and nothing is scaled") {
  for (double bad : {double(NAN), double(INFINITY)}) {
    Fixture f(f32);
    Gradients gradients;
    f.fill(gradients);
    gradients.find(f.b.leaf().get())->buffer().set(3 * 19 + 18, bad);
    CHECK_FALSE(std::isfinite(clip_by_global_norm(gradients, 1)));
    CHECK(gradients.dense(f.a).at(0) == -2);
  }
  Parameter large("large", Shape{2});
  Gradients gradients;
  gradients.of(large.leaf(), f32).touch_all();
  gradients.find(large.leaf().get())->buffer().fill(3e38);  // its square is beyond f32
  CHECK(clip_by_global_norm(gradients, 1) == doctest::Approx(std::sqrt(2.0) * 3e38).epsilon(1e-6));
  CHECK(gradients.dense(large).at(1) == doctest::Approx(std::sqrt(0.5)).epsilon(1e-6));
}

TEST_CASE("clipping by value and scaling") {
  for (DType dtype : {f32, f64}) {
    Fixture f(dtype);
    Gradients gradients;
    f.fill(gradients);
    const std::vector<double> before = f.all(gradients);
    scale_gradients(gradients, -0.5);
    for (std::size_t i = 0; i < before.size(); ++i) CHECK(f.all(gradients)[i] == before[i] * -0.5);
    scale_gradients(gradients, -2);
    gradients.find(f.a.leaf().get())->buffer().set(1, NAN);
    clip_by_value(gradients, 1.5);
    for (std::size_t i = 0; i < before.size(); ++i)
      if (i != 1) CHECK(f.all(gradients)[i] == std::min(std::max(before[i], -1.5), 1.5));
    CHECK(std::isnan(f.all(gradients)[1]));
  }
}

TEST_CASE("adding gradients keeps rows where both sides have rows") {
  for (DType dtype : {f32, f64}) {
    Fixture f(dtype);
    Gradients into, from, empty;
    f.fill(from, 1);
    accumulate(into, from);  // into nothing
    CHECK(f.all(into) == f.all(from));
    CHECK(into.find(f.b)->state() == State::rows);
    accumulate(into, empty);
    CHECK(f.all(into) == f.all(from));

    Gradients other;
    auto& rows = other.of(f.b.leaf(), dtype);
    rows.touch_row(4);
    rows.touch_row(1);
    for (Index c = 0; c < 19; ++c) rows.buffer().set(19 + c, 8), rows.buffer().set(4 * 19 + c, 16);
    accumulate(into, other);
    CHECK(into.find(f.b)->rows().size() == 3);
    const Tensor sum = into.dense(f.b), first = from.dense(f.b);
    for (Index i = 0; i < sum.size(); ++i)
      CHECK(sum.at(i) == first.at(i) + (i / 19 == 1 ? 8 : i / 19 == 4 ? 16 : 0));

    Gradients dense;
    dense.of(f.b.leaf(), dtype).touch_all();
    dense.find(f.b.leaf().get())->buffer().fill(32);
    accumulate(dense, other);  // rows into dense
    CHECK(dense.find(f.b)->state() == State::dense);
    CHECK(dense.dense(f.b).at(0) == 32);
    CHECK(dense.dense(f.b).at(19) == 40);
    accumulate(into, dense);  // dense into rows
    CHECK(into.find(f.b)->state() == State::dense);
    CHECK(into.dense(f.b).at(2 * 19) == 32);
    CHECK(into.dense(f.b).at(19) == first.at(19) + 8 + 40);

    into.clear();
    accumulate(into, other);  // the memory of before is still there: it must not show
    CHECK(into.find(f.b)->rows().size() == 2);
    CHECK(into.dense(f.b).at(0) == 0);
    CHECK(into.dense(f.b).at(4 * 19) == 16);
  }
}
