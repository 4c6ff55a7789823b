#include "autograd/buffer.h"

#include <doctest/doctest.h>

#include <functional>
#include <vector>

#include "ops/ops.h"

using namespace unroll;
using autograd::Event;
using autograd::Values;
using Numbers = std::vector<double>;

namespace {

constexpr Event kAllEvents[] = {Event::donate, Event::share, Event::overwrite, Event::restore};

// A value in each state, in the middle of a small pass: y = 2 x, its readers, and backward where that is
// needed.
struct Pass {
  Tape tape{f64};
  Gradients gradients;
  Var x, y, loss;

  explicit Pass(Values state) {
    x = tape.variable(Tensor::from({2, 3}, {1, 2, 3, 4, 5, 6}));
    y = x * 2.0;
    if (state != Values::kept) tape.donate(y);
    if (state == Values::overwritten) backward();
  }
  void backward() {
    loss = ops::sum(tanh(y));
    tape.backward(loss, gradients);
  }
  Values state() const { return tape.buffer(y.index()).values; }
};

// Whether f() throws an Error.
bool refused(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error&) {
    return true;
  }
  return false;
}

}  // namespace

TEST_CASE("the table of states: what is legal, and what each event leads to") {
  auto next = [](Values state, Event event) {
    return autograd::kNextValues[static_cast<int>(state)][static_cast<int>(event)];
  };
  int legal = 0;
  for (const Values state : {Values::kept, Values::donated, Values::overwritten})
    for (const Event event : kAllEvents) legal += next(state, event) != autograd::kIllegal;
  CHECK(legal == 7);
  CHECK(after(Values::kept, Event::donate) == Values::donated);
  CHECK(after(Values::kept, Event::share) == Values::kept);
  CHECK(after(Values::donated, Event::donate) == Values::donated);
  CHECK(after(Values::donated, Event::share) == Values::kept);
  CHECK(after(Values::donated, Event::overwrite) == Values::overwritten);
  CHECK(after(Values::overwritten, Event::donate) == Values::overwritten);
  CHECK(after(Values::overwritten, Event::restore) == Values::donated);
}

// Whatever a user can do to a value in each state ends in the state that the table says, or is refused.
TEST_CASE("every transition that a user can ask for, in every state") {
  struct Deed {
    const char* name;
    Event event;
    std::function<void(Pass&)> run;
  };
  const std::vector<Deed> deeds{
      {"donate", Event::donate, [](Pass& p) { p.tape.donate(p.y); }},
      {"stop_gradient", Event::share, [](Pass& p) { (void)p.tape.stop_gradient(p.y); }},
      {"a second reader of the same bytes", Event::share, [](Pass& p) { (void)(tanh(p.y) + exp(p.y)); }},
      {"a reader that does not read first", Event::share,
       [](Pass& p) {
         (void)matmul(p.y, p.tape.full({3, 2}, 1));
       }},
      {"backward", Event::overwrite, [](Pass& p) { p.backward(); }},
  };
  for (const Deed& deed : deeds)
    for (const Values state : {Values::kept, Values::donated, Values::overwritten}) {
      CAPTURE(deed.name);
      CAPTURE(static_cast<int>(state));
      Pass pass(state);
      REQUIRE(pass.state() == state);
      const std::uint8_t next = autograd::kNextValues[static_cast<int>(state)][static_cast<int>(deed.event)];
      const bool was_refused = refused([&] { deed.run(pass); });
      if (state == Values::overwritten && deed.event != Event::donate) {
        CHECK(was_refused);
        CHECK(pass.state() == state);
      } else if (next == autograd::kIllegal) {  // backward over values that are kept leaves them
        CHECK(pass.state() == state);
      } else {
        CHECK_FALSE(was_refused);
        CHECK(pass.state() == static_cast<Values>(next));
      }
    }
}

TEST_CASE("values come back when the gradient moves out before anything was written") {
  Tape tape(f64);
  Gradients gradients;
  const Var x = tape.variable(Tensor::from({3, 2}, {1, 2, 3, 4, 5, 6})), y = tape.donate(x * 2.0);
  // The only reader has the last row of it alone, and asks for a sum: zeros would be needed around it.
  const Var loss = ops::sum(ops::multiply(tape.columns(y, 0, 1), tape.full({3, 1}, 3.0)));
  tape.backward(loss, gradients);
  CHECK(tape.gradient(x).values() == Numbers{6, 0, 6, 0, 6, 0});
  CHECK(tape.buffer(y.index()).values == Values::donated);
  CHECK(y.tensor().values() == Numbers{2, 4, 6, 8, 10, 12});
}

TEST_CASE("where a gradient lies, by what its value is") {
  Tape tape(f64);
  Gradients gradients;
  Parameter p("p", {2}, f64);
  Numbers lent_values{1, 2}, lent_gradient{10, 20};
  const Var x = tape.variable(Tensor::from({2}, {1, 2})), w = tape.parameter(p);
  const Var lent = tape.borrow(reinterpret_cast<std::byte*>(lent_values.data()), {2}, 2,
                               reinterpret_cast<std::byte*>(lent_gradient.data()));
  const Var constant = tape.full({2}, 1), donated = tape.donate(x * 2.0), kept = x * 3.0;
  tape.keep_gradient(kept);
  const Var passing = x * 5.0;
  tape.backward(ops::sum(tanh(donated) + kept + passing + w + lent + constant), gradients);
  auto lies = [&](Var v) { return tape.walk().gradient(tape.value(v.index()).buffer).lies; };
  CHECK(lies(x) == autograd::Lies::pooled);
  CHECK(lies(w) == autograd::Lies::parameter);
  CHECK(lies(lent) == autograd::Lies::lent);
  CHECK(lies(constant) == autograd::Lies::none);
  CHECK(lies(donated) == autograd::Lies::in_place);
  CHECK(lies(kept) == autograd::Lies::pooled);
  CHECK(lies(passing) == autograd::Lies::none);  // given back
  CHECK(lent_gradient == Numbers{11, 21});
}
