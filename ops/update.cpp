#include "ops/update.h"

#include <array>
#include <cassert>
#include <cmath>

#include "ops/pointwise.h"

namespace unroll::ops {

namespace {

struct Operands {
  Tensor& parameter;
  const Tensor& gradient;
  std::span<Tensor> state;
  const std::span<const int>* rows;  // nullptr: all of them
};

// Calls rule(p, g, s) on packs of `count` elements from p, g and the state arrays; it changes p and s.
template <std::size_t S, class T, class Rule>
void sweep_run(Rule rule, T* p, const T* g, std::array<T*, S> state, Index count) {
  constexpr Index lanes = Pack<T>::lanes;
  auto step = [&](Index i, auto load, auto store) {
    Pack<T> x = load(p + i);
    std::array<Pack<T>, S> s;
    for (std::size_t k = 0; k != S; ++k) s[k] = load(state[k] + i);
    rule(x, load(g + i), s);
    store(x, p + i);
    for (std::size_t k = 0; k != S; ++k) store(s[k], state[k] + i);
  };
  Index i = 0;
  for (; i + lanes <= count; i += lanes) step(i, Pack<T>::load, [](const Pack<T>& x, T* to) { x.store(to); });
  if (const Index rest = count - i; rest > 0)
    step(
        i, [rest](const T* from) { return load_part(from, rest); },
        [rest](const Pack<T>& x, T* to) { store_part(x, to, rest); });
}

template <std::size_t S, class T, class Rule>
void sweep(Rule rule, const Operands& o) {
  assert(o.state.size() == S);
  T* p = o.parameter.span<T>().data();
  const T* g = o.gradient.span<T>().data();
  auto run = [&](Index begin, Index count) {
    std::array<T*, S> state;
    for (std::size_t k = 0; k != S; ++k) state[k] = o.state[k].template span<T>().data() + begin;
    sweep_run<S, T>(rule, p + begin, g + begin, state, count);
  };
  if (!o.rows) return run(0, o.parameter.size());
  const Index cols = o.parameter.shape().cols();
  for (const int r : *o.rows) run(r * cols, cols);
}

template <class T>
void apply(const SgdUpdate& u, const Operands& o) {
  const Pack<T> rate(u.rate), decay(u.decay), momentum(u.momentum);
  if (u.momentum == 0) return sweep<0, T>([=](auto& p, auto g, auto&) { p = p - rate * (g + decay * p); }, o);
  sweep<1, T>(
      [=, nesterov = u.nesterov](auto& p, auto g, auto& s) {
        const Pack<T> slope = g + decay * p;
        s[0] = momentum * s[0] + slope;
        p = p - rate * (nesterov ? slope + momentum * s[0] : s[0]);
      },
      o);
}

template <class T>
void apply(const RmspropUpdate& u, const Operands& o) {
  const Pack<T> rate(u.rate), decay(u.decay), smoothing(u.smoothing), rest(1 - u.smoothing),
      epsilon(u.epsilon), momentum(u.momentum);
  auto scaled = [=](auto p, auto g, auto& s) {
    const Pack<T> slope = g + decay * p;
    s = smoothing * s + rest * slope * slope;
    return slope / (sqrt(s) + epsilon);
  };
  if (u.momentum == 0)
    return sweep<1, T>([=](auto& p, auto g, auto& s) { p = p - rate * scaled(p, g, s[0]); }, o);
  sweep<2, T>(
      [=](auto& p, auto g, auto& s) {
        s[1] = momentum * s[1] + scaled(p, g, s[0]);
        p = p - rate * s[1];
      },
      o);
}

template <class T>
void apply(const AdagradUpdate& u, const Operands& o) {
  const Pack<T> rate(u.rate), decay(u.decay), epsilon(u.epsilon);
  sweep<1, T>(
      [=](auto& p, auto g, auto& s) {
        const Pack<T> slope = g + decay * p;
        s[0] = s[0] + slope * slope;
        p = p - rate * slope / (sqrt(s[0]) + epsilon);
      },
      o);
}

template <class T>
void apply(const AdamUpdate& u, const Operands& o) {
  const Pack<T> rate(u.rate / u.correction1), decay(u.decay), keep(1 - u.shrink), epsilon(u.epsilon),
      root(1 / std::sqrt(u.correction2)), beta1(u.beta1), beta2(u.beta2), rest1(1 - u.beta1),
      rest2(1 - u.beta2);
  sweep<2, T>(
      [=](auto& p, auto g, auto& s) {
        const Pack<T> slope = g + decay * p;
        s[0] = beta1 * s[0] + rest1 * slope;
        s[1] = beta2 * s[1] + rest2 * slope * slope;
        p = keep * p - rate * s[0] / (sqrt(s[1]) * root + epsilon);
      },
      o);
}

void run(const Update& update, const Operands& o) {
  std::visit(
      [&](const auto& u) { autograd::dispatch(o.parameter.dtype(), [&]<class T>() { apply<T>(u, o); }); },
      update);
}

}  // namespace

void update(const Update& update, Tensor& parameter, const Tensor& gradient, std::span<Tensor> state) {
  run(update, {parameter, gradient, state, nullptr});
}

void update_rows(const Update& update, std::span<const int> rows, Tensor& parameter, const Tensor& gradient,
                 std::span<Tensor> state) {
  run(update, {parameter, gradient, state, &rows});
}

}  // namespace unroll::ops
