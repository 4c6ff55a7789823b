// Gradients that take the place of numbers: Tape::donate. Whatever uses such memory gets the
// gradient that it would get otherwise; where that needs memory of its own, it has it.
#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include "autograd/op.h"
#include "ops/ops.h"

using namespace unroll;
using Numbers = std::vector<double>;
using Shape = autograd::Shape;

namespace {

constexpr Index kRows = 6, kCols = 8;

Tensor pattern(const Shape& shape, double phase) {
  Tensor x(shape, f64);
  for (Index i = 0; i < x.size(); ++i) x.set(i, std::sin(phase + 1.7 * static_cast<double>(i)));
  return x;
}

struct Result {
  Numbers gradient;
  bool overwritten;
  std::size_t pool_peak;
};

// The gradient of x through `use` of 2 x, whose numbers are released or not.
Result through(const std::function<Var(Tape&, Var)>& use, bool release, Observer* observer = nullptr) {
  Tape tape(f64);
  tape.poison(true);
  Gradients gradients;
  std::optional<autograd::Attachment> attached;
  if (observer) attached.emplace(tape, *observer);
  const Var x = tape.variable(pattern({kRows, kCols}, 0));
  Var twice = x * 2.0;
  if (release) tape.donate(twice);
  tape.backward(use(tape, twice), gradients);
  return {tape.gradient(x).values(), tape.buffer(twice.index()).overwritten(), tape.pool().peak()};
}

Var product_of(Var a, Var b) {
  return pointwise(
      "product_of", [](auto x, auto y) { return x * y; }, a, b);
}

// Sum over steps of an op on the columns of each row.
Var rows_in(Tape& tape, Var x, const std::vector<Index>& order, const std::function<Var(Var)>& f) {
  Var loss;
  for (const Index r : order) {
    const Var term = sum(f(tape.rows(x, r, 1)));
    loss = loss.defined() ? loss + term : term;
  }
  return loss;
}

Var halves(Var x) {
  const auto [a, b] = ops::split<2>(x);
  return product_of(a, b);
}

// a + b, which asks for both gradients before it assigns one, and reads no numbers.
struct Plus {
  static constexpr const char* name = "test plus";
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 0, reads_outputs = 0;

  Shape shape(const autograd::Inputs& in) const { return in[0]; }
  template <class T>
  void forward(autograd::Forward<T>& context) const {
    for (Index c = 0; c < context.out().cols(); ++c)
      context.out()(0, c) = context.in(0)(0, c) + context.in(1)(0, c);
  }
  template <class T>
  void backward(autograd::Backward<T>& context) const {
    const autograd::Into<T> d[] = {context.d_in(0), context.d_in(1)};
    for (const autograd::Into<T>& into : d)
      for (Index c = 0; c < into.view.cols(); ++c)
        into.view(0, c) = (into.fresh ? T(0) : into.view(0, c)) + context.d_out()(0, c);
  }
};

// x^2, which assigns zeros before it reads, and says so.
struct ZeroFirst {
  static constexpr const char* name = "test zero first";
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 1, reads_outputs = 0;
  static constexpr bool reads_first = false;

  Shape shape(const autograd::Inputs& in) const { return in[0]; }
  template <class T>
  void forward(autograd::Forward<T>& context) const {
    for (Index i = 0; i < context.in(0).size(); ++i)
      context.out().data[i] = context.in(0).data[i] * context.in(0).data[i];
  }
  template <class T>
  void backward(autograd::Backward<T>& context) const {
    const View<T> d = context.add_to(0);
    for (Index i = 0; i < d.size(); ++i) d.data[i] += 2 * context.in(0).data[i] * context.d_out().data[i];
  }
};

}  // namespace

TEST_CASE("the gradient of released numbers takes the place of the numbers") {
  const std::vector<std::function<Var(Tape&, Var)>> uses{
      [](Tape&, Var x) { return sum(tanh(x)); },
      [](Tape&, Var x) { return sum(halves(x)); },
      [](Tape& t, Var x) {
        return rows_in(t, x, {0, 1, 2, 3, 4, 5}, halves);
      },
      [](Tape& t, Var x) {
        return rows_in(t, x, {5, 4, 3, 2, 1, 0}, halves);
      },
      [](Tape& t, Var x) {
        return rows_in(t, x, {2, 3, 4}, halves);
      },  // the others get zeros
      [](Tape&, Var x) { return sum(x); },
  };
  for (std::size_t i = 0; i < uses.size(); ++i) {
    CAPTURE(i);
    const Result released = through(uses[i], true), kept = through(uses[i], false);
    CHECK(released.gradient == kept.gradient);
    CHECK(released.overwritten);
    CHECK(released.pool_peak < kept.pool_peak);
  }
}

TEST_CASE("where numbers are still needed, the gradient has memory of its own") {
  const std::vector<std::pair<std::string, std::function<Var(Tape&, Var)>>> uses{
      {"two users", [](Tape&, Var x) { return sum(tanh(x)) + sum(exp(x)); }},
      {"two users of overlapping rows",
       [](Tape& t, Var x) { return sum(tanh(t.rows(x, 0, 4))) + sum(exp(t.rows(x, 3, 3))); }},
      {"a user of other columns of the same rows",
       [](Tape& t, Var x) { return sum(tanh(t.columns(x, 0, 3))) + sum(exp(t.columns(x, 3, 5))); }},
      {"a second user that does not read", [](Tape&, Var x) { return sum(tanh(x)) + sum(x); }},
      {"an op that assigns before it has read all", [](Tape&, Var x) { return sum(square(softmax(x))); }},
      {"a factor of a product",
       [](Tape&, Var x) { return sum(matmul(x, x, Transpose::no, Transpose::yes)); }},
      {"the same value twice", [](Tape&, Var x) { return sum(product_of(x, x)); }},
      {"a part of the columns", [](Tape& t, Var x) { return sum(tanh(t.columns(x, 2, 3))); }},
      {"a repeated row",
       [](Tape& t, Var x) {
         return sum(product_of(t.rows(x, 1, 1), t.full({3, kCols}, 0.5)));
       }},
      {"rows out of order",
       [](Tape& t, Var x) {
         return rows_in(t, x, {0, 2, 4, 5, 3, 1}, [](Var r) { return tanh(r); });
       }},
      {"two rows with one between them, whose gradients are asked for at once",
       [](Tape& t, Var x) {
         return sum(t.record(Plus{}, {t.rows(x, 0, 1), t.rows(x, 2, 1)}, SourceLocation::current()));
       }},
      {"two neighbouring rows, the last first",
       [](Tape& t, Var x) {
         return sum(t.record(Plus{}, {t.rows(x, 3, 1), t.rows(x, 2, 1)}, SourceLocation::current()));
       }},
      {"an op that says that it does not read first",
       [](Tape& t, Var x) { return sum(t.record(ZeroFirst{}, {x}, SourceLocation::current())); }},
      {"numbers that go on without a gradient",
       [](Tape& t, Var x) { return sum(product_of(tanh(x), t.stop_gradient(x))); }},
      {"its gradient is kept", [](Tape& t, Var x) {
         t.keep_gradient(x);
         return sum(tanh(x));
       }}};
  for (const auto& use : uses) {
    CAPTURE(use.first);
    CHECK(through(use.second, true).gradient == through(use.second, false).gradient);
  }
}

TEST_CASE("numbers stay for an observer that reads them") {
  struct Reader : Observer {
  } reader;
  struct Counter : Observer {
    bool reads_values() const override { return false; }
  } counter;
  auto use = [](Tape&, Var x) { return sum(tanh(x)); };
  CHECK_FALSE(through(use, true, &reader).overwritten);
  CHECK(through(use, true, &counter).overwritten);
}

TEST_CASE("numbers that backward overwrote cannot be read") {
  Tape tape(f64);
  Gradients gradients;
  const Var x = tape.variable(pattern({2, 2}, 0)), y = tape.donate(x * 2.0);
  const Var loss = sum(tanh(y));
  CHECK(y.tensor().size() == 4);
  tape.backward(loss, gradients);
  auto message = [](auto f) {
    try {
      f();
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  const std::string needed =
      "a value came whose memory backward gave to its gradient; needed its use before backward, or "
      "keep_values() "
      "of the tape";
  CHECK(message([&] { y.tensor(); }).starts_with("[tensor] " + needed));
  CHECK(message([&] { y.view<double>(); }).starts_with("[view] " + needed));
  CHECK(message([&] { tape.rows(tape.columns(y, 0, 1), 0, 1).item(); }).starts_with("[item] " + needed));
  CHECK(message([&] { tape.snapshot(y); }).starts_with("[snapshot] " + needed));
  CHECK(message([&] { tape.stop_gradient(y); }).starts_with("[stop_gradient] " + needed));
  CHECK(message([&] { tanh(y); }).starts_with("[tanh] " + needed));
  const auto nodes = static_cast<std::uint32_t>(tape.nodes().size());
  CHECK(message([&] {
          tape.pull_back(0, nodes, std::vector{loss}, std::vector{pattern({1}, 0)}, std::vector{x});
        }).starts_with("[pull_back] " + needed));
  CHECK(x.tensor().size() == 4);
  CHECK(loss.item() != 0);
}

TEST_CASE("a tape that keeps numbers has them after backward") {
  Tape tape(f64);
  tape.keep_values(true);
  Gradients gradients;
  const Var x = tape.variable(pattern({2, 2}, 0)), y = tape.donate(x * 2.0);
  const Numbers before = y.tensor().values();
  const Var loss = sum(tanh(y));
  tape.backward(loss, gradients);
  CHECK(y.tensor().values() == before);
  const auto nodes = static_cast<std::uint32_t>(tape.nodes().size());
  const Tensor one = Tensor::from({1}, {1});
  CHECK(tape.pull_back(0, nodes, std::vector{loss}, {&one, 1}, std::vector{x})[0].values() ==
        tape.gradient(x).values());
}

TEST_CASE("derivatives of a part of the pass leave released numbers alone") {
  Tape tape(f64);
  Gradients gradients;
  const Var x = tape.variable(pattern({2, 2}, 0)), y = tape.donate(x * 2.0);
  const Numbers before = y.tensor().values();
  const Var z = tanh(y), loss = sum(z);
  const auto nodes = static_cast<std::uint32_t>(tape.nodes().size());
  const auto pulled =
      tape.pull_back(0, nodes, std::vector{z}, std::vector{pattern({2, 2}, 1)}, std::vector{x});
  CHECK(y.tensor().values() == before);
  CHECK(pulled[0].size() == 4);
  tape.backward(loss, gradients);
  CHECK(tape.buffer(y.index()).overwritten());
}

TEST_CASE("a dry tape takes the same memory") {
  for (const std::vector<Index>& order : {std::vector<Index>{0, 1, 2, 3, 4, 5}, {0, 2, 4, 5, 3, 1}, {1, 2}}) {
    auto used = [&](autograd::Dry dry) {
      Tape tape(f64, dry);
      Gradients gradients;
      const Var x = tape.variable(pattern({kRows, kCols}, 0));
      tape.backward(rows_in(tape, tape.donate(x * 2.0), order, halves), gradients);
      return std::vector{tape.usage().total(), tape.pool().peak(), tape.memory()};
    };
    CHECK(used(autograd::Dry::yes) == used(autograd::Dry::no));
  }
}
