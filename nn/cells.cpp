#include "nn/cells.h"

#include <fmt/format.h>

#include "nn/cell_formulas.h"
#include "nn/initialise.h"
#include "ops/pointwise.h"
#include "ops/views.h"

namespace unroll::nn {

// -- Formulas

namespace {

constexpr auto lstm_formula = [](auto i, auto f, auto g, auto o, auto c) {
  auto c_next = sigmoid(f, "forget") * c + sigmoid(i, "input") * tanh(g, "candidate");
  return std::tuple{sigmoid(o, "output") * tanh(c_next, "tanh(c)"), c_next};
};
constexpr auto peephole_formula = [](auto i, auto f, auto g, auto o, auto c, auto p_i, auto p_f, auto p_o) {
  auto c_next = sigmoid(f + p_f * c, "forget") * c + sigmoid(i + p_i * c, "input") * tanh(g, "candidate");
  return std::tuple{sigmoid(o + p_o * c_next, "output") * tanh(c_next, "tanh(c)"), c_next};
};
constexpr auto gru_formula = [](auto x_r, auto x_z, auto x_n, auto h_r, auto h_z, auto h_n, auto b, auto h) {
  auto n = tanh(x_n + sigmoid(x_r + h_r, "reset") * (h_n + b), "candidate");
  return n + sigmoid(x_z + h_z, "update") * (h - n);
};
constexpr auto reset_formula = [](auto r, auto h) { return sigmoid(r, "reset") * h; };
constexpr auto update_formula = [](auto z, auto n, auto h) {
  auto candidate = tanh(n, "candidate");
  return candidate + sigmoid(z, "update") * (h - candidate);
};

}  // namespace

std::array<Var, 2> formulas::lstm(Var i, Var f, Var g, Var o, Var c, SourceLocation location) {
  return pointwise({"lstm", location}, lstm_formula, i, f, g, o, c);
}
std::array<Var, 2> formulas::lstm_with_peepholes(Var i, Var f, Var g, Var o, Var c, Var p_i, Var p_f, Var p_o,
                                                 SourceLocation location) {
  return pointwise({"lstm", location}, peephole_formula, i, f, g, o, c, p_i, p_f, p_o);
}
Var formulas::gru_reset_after(Var x_r, Var x_z, Var x_n, Var h_r, Var h_z, Var h_n, Var b, Var h,
                              SourceLocation location) {
  return pointwise({"gru", location}, gru_formula, x_r, x_z, x_n, h_r, h_z, h_n, b, h);
}
Var formulas::gru_reset(Var r, Var h, SourceLocation location) {
  return pointwise({"gru_reset", location}, reset_formula, r, h);
}
Var formulas::gru_update(Var z, Var n, Var h, SourceLocation location) {
  return pointwise({"gru", location}, update_formula, z, n, h);
}

// -- Weights

namespace {

Parameter input_weight(const char* cell, Index in, Index hidden, Index gates, Generator& generator,
                       SourceLocation location) {
  const Shape gate = detail::weight_shape(cell, in, hidden, location);
  Parameter weight("weight_ih", gate.with(1, gates * hidden));
  initialise::glorot_uniform(weight, generator);
  return weight;
}

// Each gate's block of columns is orthogonal by itself.
Parameter recurrent_weight(const char* name, Index in, Index hidden, Index gates, Generator& generator) {
  Parameter weight(name, {in, gates * hidden});
  for (Index g = 0; g < gates; ++g) initialise::orthogonal(gate(weight, g, gates), generator);
  return weight;
}

}  // namespace

// -- Elman

Elman::Elman(Index in, Index hidden, Generator& generator, Activation g, SourceLocation location)
    : weight_ih(input_weight("elman", in, hidden, 1, generator, location)),
      weight_hh(recurrent_weight("weight_hh", hidden, hidden, 1, generator)),
      bias("bias", {hidden}),
      activation(g) {}

// -- LSTM

Lstm::Lstm(Index in, Index hidden, Generator& generator, const LstmOptions& options, SourceLocation location)
    : weight_ih(input_weight("lstm", in, hidden, 4, generator, location)), bias("bias", {4 * hidden}) {
  if (options.projection < 0)
    autograd::fail(
        "lstm", fmt::format("a projection to {} came; needed at least 1, or 0 for none", options.projection),
        location);
  const Index recurrent = options.projection > 0 ? options.projection : hidden;
  weight_hh = recurrent_weight("weight_hh", recurrent, hidden, 4, generator);
  initialise::forget_gate_bias(gate(bias, 1, 4), options.forget_bias);
  if (options.peepholes)
    for (auto* p : {&peephole_i, &peephole_f, &peephole_o}) p->emplace("peephole", Shape{hidden});
  if (options.projection > 0) {
    weight_hr.emplace("weight_hr", Shape{hidden, options.projection});
    initialise::glorot_uniform(*weight_hr, generator);
  }
}

Lstm::State Lstm::step(Projected x, State s) const {
  const auto [i, f, g, o] = ops::split<4>(x.add(s.h, weight_hh));
  auto peephole = [&](const std::optional<Parameter>& p) { return s.c.tape().parameter(*p); };
  const auto [h, c] = peephole_i ? formulas::lstm_with_peepholes(i, f, g, o, s.c, peephole(peephole_i),
                                                                 peephole(peephole_f), peephole(peephole_o))
                                 : formulas::lstm(i, f, g, o, s.c);
  return {weight_hr ? matmul(h, *weight_hr) : h, c};
}

Lstm::State Lstm::initial(Tape& tape, Index batch) const {
  return {tape.zeros({batch, weight_hh.shape()[0]}), tape.zeros({batch, bias.shape()[0] / 4})};
}

void Lstm::members(Members& m) {
  m("weight_ih", weight_ih), m("weight_hh", weight_hh), m("bias", bias);
  m("peephole_i", peephole_i), m("peephole_f", peephole_f), m("peephole_o", peephole_o);
  m("weight_hr", weight_hr);
}

// -- GRU

Gru::Gru(Index in, Index hidden, Generator& generator, Reset reset, SourceLocation location)
    : weight_ih(input_weight("gru", in, hidden, 3, generator, location)),
      weight_hh(recurrent_weight("weight_hh", hidden, hidden, reset == Reset::after ? 3 : 2, generator)),
      bias("bias", {3 * hidden}) {
  if (reset == Reset::before)
    weight_hn = recurrent_weight("weight_hn", hidden, hidden, 1, generator);
  else
    bias_hn.emplace("bias_hn", Shape{hidden});
}

Var Gru::step(Projected x, Var h) const {
  if (weight_hn) return step_before(std::move(x), h);
  const auto [x_r, x_z, x_n] = ops::split<3>(x);
  const auto [h_r, h_z, h_n] = ops::split<3>(h.tape().donate(matmul(h, weight_hh)));
  return formulas::gru_reset_after(x_r, x_z, x_n, h_r, h_z, h_n, h.tape().parameter(*bias_hn), h);
}

Var Gru::step_before(Projected x, Var h) const {
  const Index hidden = weight_hn->shape()[0];
  auto [gates, candidate] = x.split(2 * hidden, hidden);
  const auto [r, z] = ops::split<2>(gates.add(h, weight_hh));
  const Var kept = formulas::gru_reset(r, h);
  return formulas::gru_update(z, candidate.add(kept, *weight_hn), h);
}

void Gru::members(Members& m) {
  m("weight_ih", weight_ih), m("weight_hh", weight_hh), m("bias", bias);
  m("weight_hn", weight_hn), m("bias_hn", bias_hn);
}

}  // namespace unroll::nn
