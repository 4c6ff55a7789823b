// What a caller may write: lists, 64-bit numbers, doubles, +=; and what is said of what is wrong.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "ops/ops.h"

using namespace unroll;

namespace {

std::string message_of(auto f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "nothing";
}

bool names_this_file(const std::string& message) {
  return message.find("arguments_test.cpp:") != message.npos;
}

}  // namespace

TEST_CASE("lists, and numbers of 32 and of 64 bits, give the same") {
  Tape tape(f64);
  const Var x = tape.constant(Shape{3, 2}, {1, 2.5, 3, 4, 5, 6});
  const std::vector<int> narrow{0, 2};
  const std::vector<std::int64_t> wide{0, 2};
  const std::vector<double> rows{1, 2.5, 5, 6};
  CHECK(gather_rows(x, {0, 2}).tensor().values() == rows);
  CHECK(gather_rows(x, narrow).tensor().values() == rows);
  CHECK(gather_rows(x, wide).tensor().values() == rows);
  CHECK(gather_rows(x, {narrow.data(), 2}).tensor().values() == rows);
  Parameter table("table", {3, 2}, f64);
  CHECK(gather_rows(tape, table, {1}).tensor().values() == std::vector<double>{0, 0});

  const double loss = cross_entropy(x, std::vector<int>{0, 1, 1}).item();
  CHECK(cross_entropy(x, {0, 1, 1}).item() == loss);
  CHECK(cross_entropy(x, std::vector<std::int64_t>{0, 1, 1}).item() == loss);
  const Var w = tape.constant(Shape{2, 2}, {1.0, 0.0, 0.0, 1.0});
  CHECK(linear_cross_entropy(x, w, {0, 1, 1}).item() == doctest::Approx(loss));
  CHECK(pick(x, {1, 0, 1}).tensor().values() == std::vector<double>{2.5, 3, 6});
  // A number that is another one in 32 bits.
  const std::int64_t beyond = (std::int64_t{1} << 32) + 1;
  CHECK(message_of([&] {
          cross_entropy(x, std::vector{beyond, beyond, beyond});
        }).find("label 4294967297 came for row 0") != std::string::npos);
  CHECK(message_of([&] { gather_rows(x, std::vector{beyond}); }).find("index 4294967297 at position 0") !=
        std::string::npos);

  const Layout layout({4, 2, 3});
  CHECK(layout.batch() == 3);
  CHECK(layout.rows() == 9);
  CHECK(Layout({2}).steps() == 2);
}

TEST_CASE("constants from doubles have all digits, and as many as their shape") {
  Tape tape(f64);
  const std::vector<double> numbers{0.1, 1e-300};
  CHECK(tape.constant(Shape{2}, {0.1, 1e-300}).tensor().values() == numbers);
  CHECK(tape.constant(Shape{2}, numbers).tensor().values() == numbers);
  CHECK(tape.constant(Shape{2}, std::vector<float>{1, 2}).tensor().values() == std::vector<double>{1, 2});
  CHECK(tape.constant({2}, {1.5, 2.0}).tensor().values() == std::vector<double>{1.5, 2});
  const std::string message = message_of([&] { tape.constant(Shape{3}, {1.0, 2.0}); });
  CHECK(message.find("2 numbers came for shape [3]; needed 3") != message.npos);
  CHECK(names_this_file(message));
}

TEST_CASE("a Var that is assigned to is another value under the same name") {
  Tape tape(f64);
  Gradients gradients;
  const Var x = tape.variable(Tensor::from({2}, {3, 4}, f64));
  Parameter w("w", {2}, f64);
  w.value().fill(2);
  Var y = x;
  y += x;
  y -= 1;
  y *= w;
  y /= 4.0;
  CHECK(y.tensor().values() == std::vector<double>{2.5, 3.5});
  CHECK(x.tensor().values() == std::vector<double>{3, 4});
  tape.backward(sum(y), gradients);
  CHECK(tape.gradient(x).values() == std::vector<double>{1, 1});
  CHECK(gradients.dense(w).values() == std::vector<double>{1.25, 1.75});
  Tape other(f64);
  Var z = other.zeros({2});
  CHECK(names_this_file(message_of([&] { z += other.zeros({3}); })));
  CHECK(names_this_file(message_of([&] { z /= Var(); })));
}

TEST_CASE("shapes and gradients that cannot be are refused with the caller's line") {
  Tape tape;
  for (const std::string& message : {message_of([&] {
                                       tape.zeros({2, -1});
                                     }),
                                     message_of([] {
                                       Shape{1, 2, 3, 4, 5};
                                     }),
                                     message_of([] { Shape{std::int64_t{1} << 31}; }),
                                     message_of([] { Shape{2}.with(0, -3); }), message_of([] {
                                       Shape({1 << 30, 1 << 30});
                                     }),
                                     message_of([] { Tensor(Shape{2}).at(2); }),
                                     message_of([] { Tensor(Shape{2}).set(-1, 0); }), message_of([] {
                                       Tensor::from({2}, {1, 2, 3});
                                     }),
                                     message_of([] { Gradients().dense(Parameter("w", {2})); })}) {
    CAPTURE(message);
    CHECK(message.find("needed") != message.npos);
    CHECK(names_this_file(message));
  }
}

TEST_CASE("a batch in its three forms") {
  const Layout layout({1, 3, 2});
  // Rows of two features, one sequence after the other.
  const std::vector<double> given{1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6};
  const std::vector<double> packed = layout.pack(std::span(given), 2);
  CHECK(packed == std::vector<double>{2, -2, 5, -5, 1, -1, 3, -3, 6, -6, 4, -4});
  CHECK(layout.unpack(std::span<const double>(packed), 2) == given);
  const std::vector<int> labels{10, 20, 21, 22, 30, 31};
  CHECK(layout.unpack(std::span<const int>(layout.pack(std::span(labels)))) == labels);
  CHECK(message_of([&] {
          layout.pack(std::span(given), 3);
        }).find("12 numbers came; needed 3 for each of 6 rows") != std::string::npos);

  Tape tape(f64);
  const Var rows = tape.constant(Shape{6, 2}, given), x = pack_sequences(rows, layout);
  CHECK(x.tensor().values() == packed);
  CHECK(unpack_sequences(x, layout).tensor().values() == given);
  const Var padded = pad_sequences(x, layout);
  CHECK(padded.tensor().values() ==
        std::vector<double>{1, -1, 0, 0, 0, 0, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6, 0, 0});
  CHECK(pack_sequences(padded, layout).tensor().values() == packed);
}

TEST_CASE("logsumexp over segments of infinities and NaN") {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::nan("");
  for (DType dtype : {f32, f64}) {
    Tape tape(dtype);
    const Layout layout({2, 2, 2, 2, 2, 2});
    const std::vector<double> rows{-inf, -inf, inf, 1, nan, 1, -inf, nan, nan, nan, -inf, 2};
    const Var x = pack_sequences(tape.constant(Shape{12, 1}, rows), layout);
    const Tensor y = segment_logsumexp(x, layout).tensor();
    CHECK(y.at(0) == -inf);
    CHECK(y.at(1) == inf);
    for (Index s : {2, 3, 4}) CHECK(std::isnan(y.at(s)));
    CHECK(y.at(5) == 2);
  }
}
