#include "nn/schedule.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace unroll;
using doctest::Approx;

TEST_CASE("schedules follow their formulas") {
  const Schedule constant = Schedule::constant(), step = Schedule::step(10, 0.5),
                 exponential = Schedule::exponential(10, 0.5), cosine = Schedule::cosine(100, 0.1);
  for (int t = 0; t < 200; ++t) {
    CHECK(constant(t) == 1);
    CHECK(step(t) == Approx(std::pow(0.5, t / 10)).epsilon(1e-14));
    CHECK(exponential(t) == Approx(std::pow(0.5, t / 10.0)).epsilon(1e-14));
    CHECK(cosine(t) ==
          Approx(t >= 100 ? 0.1 : 0.55 + 0.45 * std::cos(3.14159265358979324 * t / 100)).epsilon(1e-14));
  }
  CHECK(step(9) == 1);
  CHECK(step(10) == 0.5);
  CHECK(cosine(50) == Approx(0.55).epsilon(1e-14));
  CHECK(Schedule::cosine(7)(1'000'000) == Approx(0));
}

TEST_CASE("every schedule may begin with a linear warm-up") {
  for (const Schedule& plain :
       {Schedule::constant(), Schedule::step(3, 0.1), Schedule::exponential(5, 0.9), Schedule::cosine(20)}) {
    const Schedule warm = plain.after_warm_up(8);
    for (int t = 0; t < 8; ++t) CHECK(warm(t) == (t + 1) / 8.0);
    for (int t = 8; t < 40; ++t) CHECK(warm(t) == plain(t - 8));
  }
}

TEST_CASE("bad schedules are refused") {
  CHECK_THROWS_WITH_AS(Schedule::step(0, 0.5), doctest::Contains("0 steps came; needed 1 or more"), Error);
  CHECK_THROWS_WITH_AS(Schedule::exponential(5, -1), doctest::Contains("a factor of -1 came"), Error);
  CHECK_THROWS_AS(Schedule::cosine(-3), Error);
  CHECK_THROWS_AS(Schedule::constant().after_warm_up(0), Error);
  CHECK_THROWS_AS(Plateau({.factor = 1}), Error);
  CHECK_THROWS_AS(Plateau({.patience = -1}), Error);
}

TEST_CASE("a plateau reduces the rate after its patience") {
  Plateau loss({.factor = 0.5, .patience = 2, .threshold = 0.1, .lowest = 0.2});
  CHECK(loss.report(3) == 1);
  CHECK(loss.report(2) == 1);
  CHECK(loss.report(1.95) == 1);   // better by less than the threshold
  CHECK(loss.report(NAN) == 0.5);  // the second in a row
  CHECK(loss.report(2.5) == 0.5);
  CHECK(loss.report(1.8) == 0.5);  // better: counts anew
  CHECK(loss.report(9) == 0.5);

  Plateau resumed({.factor = 0.5, .patience = 2, .threshold = 0.1, .lowest = 0.2});
  resumed.load_state(loss.state());
  CHECK(resumed.factor() == 0.5);
  CHECK(resumed.report(1.75) == 0.25);
  for (int i = 0; i < 9; ++i) resumed.report(9);
  CHECK(resumed.factor() == 0.2);

  Plateau accuracy({.patience = 0, .larger_is_better = true});
  CHECK(accuracy.report(0.1) == 1);
  CHECK(accuracy.report(0.2) == 1);
  CHECK(accuracy.report(0.15) == 0.5);

  auto state = loss.state();
  state[2].tensor.set(0, NAN);
  CHECK_THROWS_WITH_AS(resumed.load_state(state), doctest::Contains("a factor of nan came"), Error);
  state.pop_back();
  CHECK_THROWS_WITH_AS(resumed.load_state(state), doctest::Contains("missing: 'plateau.factor'"), Error);
}
