#include "nn/optimiser.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>

#include "nn/gradients.h"
#include "nn/module.h"
#include "ops/gather.h"
#include "ops/matmul.h"
#include "ops/reduce.h"
#include "tests/allocation_count.h"

using namespace unroll;

namespace {

// One number and its state, as the papers write it; t counts from 1.
struct Scalar {
  double p, a = 0, b = 0;
};
using Reference = std::function<void(Scalar&, double g, int t)>;

struct Case {
  std::string name;
  Rule rule;
  Reference reference;
};

std::vector<Case> cases() {
  return {
      {"plain", Sgd{.learning_rate = 0.1}, [](Scalar& x, double g, int) { x.p -= 0.1 * g; }},
      {"momentum and decay", Sgd{.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.01},
       [](Scalar& x, double g, int) {
         x.a = 0.9 * x.a + (g + 0.01 * x.p);
         x.p -= 0.1 * x.a;
       }},
      {"Nesterov", Sgd{.learning_rate = 0.1, .momentum = 0.8, .nesterov = true},
       [](Scalar& x, double g, int) {
         x.a = 0.8 * x.a + g;
         x.p -= 0.1 * (g + 0.8 * x.a);
       }},
      {"RMSprop", RmsProp{.learning_rate = 0.02, .smoothing = 0.9, .epsilon = 1e-6, .weight_decay = 0.1},
       [](Scalar& x, double g, int) {
         g += 0.1 * x.p;
         x.a = 0.9 * x.a + 0.1 * g * g;
         x.p -= 0.02 * g / (std::sqrt(x.a) + 1e-6);
       }},
      {"RMSprop with momentum", RmsProp{.learning_rate = 0.02, .smoothing = 0.9, .momentum = 0.5},
       [](Scalar& x, double g, int) {
         x.a = 0.9 * x.a + 0.1 * g * g;
         x.b = 0.5 * x.b + g / (std::sqrt(x.a) + 1e-8);
         x.p -= 0.02 * x.b;
       }},
      {"Adagrad", Adagrad{.learning_rate = 0.3, .weight_decay = 0.02},
       [](Scalar& x, double g, int) {
         g += 0.02 * x.p;
         x.a += g * g;
         x.p -= 0.3 * g / (std::sqrt(x.a) + 1e-10);
       }},
      {"Adam", Adam{.learning_rate = 0.05, .beta1 = 0.8, .beta2 = 0.95, .weight_decay = 0.03},
       [](Scalar& x, double g, int t) {
         g += 0.03 * x.p;
         x.a = 0.8 * x.a + 0.2 * g;
         x.b = 0.95 * x.b + 0.05 * g * g;
         const double mean = x.a / (1 - std::pow(0.8, t)), square = x.b / (1 - std::pow(0.95, t));
         x.p -= 0.05 * mean / (std::sqrt(square) + 1e-8);
       }},
      {"AdamW", AdamW{.learning_rate = 0.05, .weight_decay = 0.2},
       [](Scalar& x, double g, int t) {
         x.p -= 0.05 * 0.2 * x.p;
         x.a = 0.9 * x.a + 0.1 * g;
         x.b = 0.999 * x.b + 0.001 * g * g;
         const double mean = x.a / (1 - std::pow(0.9, t)), square = x.b / (1 - std::pow(0.999, t));
         x.p -= 0.05 * mean / (std::sqrt(square) + 1e-8);
       }},
  };
}

double gradient_at(int step, Index i) { return std::sin(1.7 * step + 0.9 * static_cast<double>(i)) + 0.1; }

Parameter numbered(const char* name, const Shape& shape, DType dtype) {
  Parameter p(name, shape, dtype);
  for (Index i = 0; i < shape.size(); ++i) p.value().set(i, std::cos(static_cast<double>(i)));
  return p;
}
void put_dense(Gradients& gradients, const Parameter& p, int step) {
  auto& entry = gradients.of(p.leaf(), p.value().dtype());
  entry.touch_all();
  for (Index i = 0; i < p.shape().size(); ++i) entry.buffer().set(i, gradient_at(step, i));
}
void put_rows(Gradients& gradients, const Parameter& p, int step, std::initializer_list<int> rows) {
  auto& entry = gradients.of(p.leaf(), p.value().dtype());
  const Index cols = p.shape().cols();
  for (int r : rows) {
    entry.touch_row(r);
    for (Index i = r * cols; i < (r + 1) * cols; ++i) entry.buffer().set(i, gradient_at(step, i));
  }
}
std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}
bool contains(const std::string& text, const char* part) { return text.find(part) != text.npos; }

}  // namespace

TEST_CASE("every rule takes the steps of its formula") {
  for (const Case& c : cases())
    for (DType dtype : {f32, f64})
      for (Index size : {1, 7, 16, 37}) {
        INFO(c.name, " ", std::string(name_of(dtype)), " ", size);
        Parameter p = numbered("p", Shape{size}, dtype);
        Optimiser optimiser(parameters({&p}), c.rule);
        std::vector<Scalar> reference;
        for (Index i = 0; i < size; ++i) reference.push_back({p.value().at(i)});
        Gradients gradients;
        for (int t = 1; t <= 25; ++t) {
          put_dense(gradients, p, t);
          for (Index i = 0; i < size; ++i)
            c.reference(reference[static_cast<std::size_t>(i)], gradients.dense(p).at(i), t);
          optimiser.step(gradients);
          gradients.clear();
        }
        for (Index i = 0; i < size; ++i) {
          const double expected = reference[static_cast<std::size_t>(i)].p;
          CHECK(std::abs(p.value().at(i) - expected) <=
                (dtype == f64 ? 1e-12 : 2e-5) * (1 + std::abs(expected)));
        }
        CHECK(optimiser.steps() == 25);
      }
}

TEST_CASE("a gradient of rows changes those rows only, state included") {
  const std::initializer_list<int> touched[] = {{3, 0}, {3}, {1, 3}, {0}, {4, 1}};
  for (const Case& c : cases())
    for (DType dtype : {f32, f64}) {
      INFO(c.name, " ", std::string(name_of(dtype)));
      const Index rows = 6, cols = 5;
      Parameter p = numbered("p", Shape{rows, cols}, dtype);
      Optimiser optimiser(parameters({&p}), c.rule);
      std::vector<Scalar> reference;
      for (Index i = 0; i < rows * cols; ++i) reference.push_back({p.value().at(i)});
      Gradients gradients;
      for (int t = 1; t <= 10; ++t) {
        put_rows(gradients, p, t, touched[t % 5]);
        for (int r : touched[t % 5])
          for (Index i = r * cols; i < (r + 1) * cols; ++i)
            c.reference(reference[static_cast<std::size_t>(i)], gradients.dense(p).at(i), t);
        optimiser.step(gradients);
        gradients.clear();
      }
      for (Index i = 0; i < rows * cols; ++i) {
        const double expected = reference[static_cast<std::size_t>(i)].p;
        CHECK(std::abs(p.value().at(i) - expected) <=
              (dtype == f64 ? 1e-12 : 2e-5) * (1 + std::abs(expected)));
      }
      for (Index i = 2 * cols; i < 3 * cols; ++i)  // row 2 was never touched: the same bits
        CHECK(p.value().at(i) == numbered("q", Shape{rows, cols}, dtype).value().at(i));
    }
}

TEST_CASE("all rows and a dense gradient give the same bits") {
  for (const Case& c : cases()) {
    INFO(c.name);
    Parameter a = numbered("a", Shape{3, 7}, f64), b = numbered("b", Shape{3, 7}, f64);
    Optimiser of_a(parameters({&a}), c.rule), of_b(parameters({&b}), c.rule);
    for (int t = 1; t <= 5; ++t) {
      Gradients gradients_a, gradients_b;
      put_dense(gradients_a, a, t);
      put_rows(gradients_b, b, t, {2, 0, 1});
      gradients_b.find(b.leaf().get())->buffer() = gradients_a.dense(a);
      of_a.step(gradients_a);
      of_b.step(gradients_b);
    }
    CHECK(a.value().values() == b.value().values());
  }
}

TEST_CASE("groups have rules of their own, and one factor for all") {
  Parameter a = numbered("a", Shape{3}, f64), b = numbered("b", Shape{3}, f64);
  const std::vector<double> a0 = a.value().values(), b0 = b.value().values();
  Optimiser optimiser(parameters({&a}), Sgd{.learning_rate = 0.5});
  optimiser.add(parameters({&b}), Sgd{.learning_rate = 0.25, .weight_decay = 1});
  optimiser.set_factor(0.1);
  CHECK(optimiser.learning_rate(0) == doctest::Approx(0.05));
  CHECK(optimiser.learning_rate(1) == doctest::Approx(0.025));
  Gradients gradients;
  put_dense(gradients, a, 1);
  put_dense(gradients, b, 1);
  optimiser.step(gradients);
  for (Index i = 0; i < 3; ++i) {
    const double g = gradient_at(1, i), before = b0[static_cast<std::size_t>(i)];
    CHECK(a.value().at(i) == doctest::Approx(a0[static_cast<std::size_t>(i)] - 0.05 * g).epsilon(1e-13));
    CHECK(b.value().at(i) == doctest::Approx(before - 0.025 * (g + before)).epsilon(1e-13));
  }
}

TEST_CASE("padding alone is a gradient of no rows: nothing changes, and nothing is missing") {
  for (DType dtype : {f32, f64}) {
    Parameter table = numbered("table", Shape{3, 2}, dtype);
    Optimiser optimiser(parameters({&table}), Adam{});
    const auto before = table.value().values();
    Gradients gradients;
    Tape tape(dtype);
    tape.backward(ops::sum(gather_rows(tape, table, {0, 0}, 0)), gradients);
    REQUIRE(gradients.find(table));
    CHECK(gradients.find(table)->rows().empty());
    CHECK(gradients.dense(table).values() == std::vector<double>(6, 0));
    optimiser.step(gradients);
    CHECK(table.value().values() == before);
    CHECK(optimiser.steps() == 1);
  }
}

TEST_CASE("parameters without a gradient and gradients without a parameter are named") {
  Parameter a = numbered("net.a", Shape{2}, f64), b = numbered("net.b", Shape{2}, f64),
            c = numbered("net.c", Shape{2}, f64);
  Optimiser optimiser(parameters({&a, &b}), Adam{});
  Gradients gradients;
  put_dense(gradients, a, 1);
  const auto before = a.value().values();

  const std::string missing = message_of([&] { optimiser.step(gradients); });
  CHECK(contains(missing, "no gradient came for 'net.b'"));
  CHECK_FALSE(contains(missing, "net.a"));
  CHECK(contains(missing, "optimiser_test.cpp"));
  CHECK(a.value().values() == before);
  CHECK(optimiser.steps() == 0);

  b.freeze();
  optimiser.step(gradients);  // a frozen one needs none
  b.freeze(false);
  const auto b_before = b.value().values();
  optimiser.step(gradients, Missing::skip);
  CHECK(b.value().values() == b_before);
  CHECK(optimiser.steps() == 2);

  put_dense(gradients, b, 1);
  put_dense(gradients, c, 1);
  const std::string unknown = message_of([&] { optimiser.step(gradients); });
  CHECK(contains(unknown, "gradients came for 'net.c'"));
  CHECK_FALSE(contains(unknown, "net.b"));
  c.freeze();
  optimiser.step(gradients);
  CHECK(c.value().values() == numbered("c", Shape{2}, f64).value().values());
}

TEST_CASE("bad settings, a parameter given twice, and a tape of another dtype are refused") {
  Parameter a = numbered("a", Shape{2}, f32), b = numbered("b", Shape{2}, f32);
  auto refused = [&](const Rule& rule) { return message_of([&] { Optimiser(parameters({&a}), rule); }); };
  CHECK(contains(refused(Sgd{.learning_rate = -1}), "a learning rate of -1 came; needed 0 or more"));
  CHECK(contains(refused(Sgd{.learning_rate = NAN}), "a learning rate of nan came"));
  CHECK(contains(refused(Sgd{.momentum = 1}), "a momentum of 1 came"));
  CHECK(contains(refused(Sgd{.nesterov = true}), "more than 0 for Nesterov's"));
  CHECK(contains(refused(Adam{.beta2 = 1.5}), "a beta2 of 1.5 came"));
  CHECK(contains(refused(Adam{.epsilon = 0}), "an epsilon of 0 came"));
  CHECK(contains(refused(AdamW{.weight_decay = -0.1}), "a weight decay of -0.1 came"));

  Optimiser optimiser(parameters({&a}), Adam{});
  CHECK(contains(message_of([&] { optimiser.add(parameters({&b, &a}), Sgd{}); }), "'a' came twice"));
  CHECK(contains(message_of([&] { Optimiser({}, Adam{}); }),
                 "[optimiser] no parameters came; needed one or more"));
  Gradients gradients;
  put_dense(gradients, a, 1);
  optimiser.step(gradients);  // b was not kept by the failed add()

  Gradients other;
  other.of(a.leaf(), f64).touch_all();
  CHECK(contains(message_of([&] { optimiser.step(other); }),
                 "the gradient of 'a' is f64 [2] and the parameter f32"));
}

TEST_CASE("a resumed optimiser takes the same steps") {
  for (const Case& c : cases()) {
    INFO(c.name);
    Parameter a = numbered("w", Shape{3, 3}, f32);
    Optimiser first(parameters({&a}), c.rule);
    first.set_factor(0.5);
    Gradients gradients;
    for (int t = 1; t <= 4; ++t) {
      put_dense(gradients, a, t);
      first.step(gradients);
    }
    Parameter b = a;
    Optimiser second(parameters({&b}), c.rule);
    second.load_state(first.state());
    CHECK(second.steps() == 4);
    CHECK(second.factor() == 0.5);
    for (int t = 5; t <= 8; ++t) {
      Gradients of_b;
      put_dense(gradients, a, t);
      put_dense(of_b, b, t);
      first.step(gradients);
      second.step(of_b);
    }
    CHECK(a.value().values() == b.value().values());
  }
  Parameter a = numbered("w", Shape{3}, f32), b = numbered("w", Shape{4}, f32);
  Optimiser adam(parameters({&a}), Adam{}), sgd(parameters({&a}), Sgd{.momentum = 0.9}),
      large(parameters({&b}), Adam{});
  const std::string names = message_of([&] { sgd.load_state(adam.state()); });
  CHECK(contains(names, "missing: 'w.velocity'; superfluous: 'w.mean', 'w.square'"));
  CHECK(contains(message_of([&] { large.load_state(adam.state()); }),
                 "of another shape: 'w.mean' is [3], not [4]"));
  auto broken = adam.state();
  broken[0].tensor.set(0, -3);
  CHECK(contains(message_of([&] { adam.load_state(broken); }), "a step of -3 came"));
}

TEST_CASE("two parameters of one name are refused, in one group or in two") {
  Parameter a("weight", Shape{2}), b("weight", Shape{2});
  const char* needed = "two parameters called 'weight' came; needed a name for each";
  CHECK(contains(message_of([&] { Optimiser(parameters({&a, &b}), Adam{}); }), needed));
  Optimiser adam(parameters({&a}), Adam{});
  CHECK(contains(message_of([&] { adam.add(parameters({&b}), Adam{}); }), needed));
  CHECK(adam.state().size() == 4);  // step, factor, and the two of a: nothing was added
}

TEST_CASE("a model may be moved and converted while an optimiser holds it") {
  struct Model {
    Parameter w;
    void members(Members& m) { m("w", w); }
  };
  Model model{numbered("", Shape{4}, f32)};
  Optimiser optimiser(parameters(model), Adam{.learning_rate = 0.1});
  Model moved = std::move(model);
  Gradients gradients;
  put_dense(gradients, moved.w, 1);
  optimiser.step(gradients);
  // Adam's first step is the learning rate.
  CHECK(moved.w.value().at(0) == doctest::Approx(0.9).epsilon(1e-5));

  convert(moved, f64);
  Gradients wide;
  put_dense(wide, moved.w, 1);
  optimiser.step(wide);
  CHECK(moved.w.value().at(0) == doctest::Approx(0.8).epsilon(1e-5));
  CHECK(optimiser.state()[2].tensor.dtype() == f64);
}

TEST_CASE("a step makes no heap allocation") {
  Parameter a = numbered("a", Shape{40, 9}, f32), b = numbered("b", Shape{40, 9}, f32);
  Optimiser optimiser(parameters({&a}), Adam{});
  optimiser.add(parameters({&b}), Sgd{.momentum = 0.9});
  Gradients gradients;
  for (int t = 0; t < 3; ++t) {
    put_dense(gradients, a, t);
    put_rows(gradients, b, t, {3, 17});
    const std::size_t before = tests::allocation_count();
    clip_by_global_norm(gradients, 0.5);
    optimiser.step(gradients);
    gradients.clear();
    const std::size_t made = tests::allocation_count() - before;
    if (t > 0) CHECK(made == 0);
  }
  const std::size_t before = tests::allocation_count();
  CHECK(Tensor(Shape{3}).size() == 3);
  CHECK(tests::allocation_count() > before);  // the count does count
}

TEST_CASE("every rule trains a line through a tape") {
  const Tensor x = Tensor::from({4, 2}, {1, 0, 0, 1, 1, 1, 1, -1}), y = Tensor::from({4, 1}, {3, -1, 2, 4});
  for (const Rule& rule :
       {Rule(Sgd{.learning_rate = 0.1}), Rule(Sgd{.learning_rate = 0.05, .momentum = 0.5}),
        Rule(RmsProp{.learning_rate = 0.01}), Rule(Adagrad{.learning_rate = 1}),
        Rule(Adam{.learning_rate = 0.05}), Rule(AdamW{.learning_rate = 0.05, .weight_decay = 0})}) {
    Parameter w("w", Shape{2, 1}), b("b", Shape{1});
    Optimiser optimiser(parameters({&w, &b}), rule);
    Tape tape;
    Gradients gradients;
    for (int i = 0; i < 1000; ++i) {
      tape.clear();
      gradients.clear();
      Var error = affine(tape.constant(x), w, b) - tape.constant(y);
      tape.backward(matmul(error, error, Transpose::yes), gradients);
      clip_by_global_norm(gradients, 10);
      optimiser.step(gradients);
    }
    CHECK(w.value().at(0) == doctest::Approx(3).epsilon(0.01));
    CHECK(w.value().at(1) == doctest::Approx(-1).epsilon(0.01));
    CHECK(std::abs(b.value().at(0)) < 0.02);
  }
}
