// Backward through a few nodes of a pass, beside the walk over all of it.
#include <algorithm>
#include <utility>

#include "autograd/tape.h"

namespace unroll::autograd {

std::vector<Tensor> Tape::pull_back(std::uint32_t begin, std::uint32_t end, std::span<const Var> outputs,
                                    std::span<const Tensor> seeds, std::span<const Var> inputs) {
  std::vector<std::uint32_t> touched;
  auto touch = [&](std::uint32_t id) { touched.insert(touched.end(), {id, values_[id].root}); };
  for (std::uint32_t n = begin; n < end; ++n) {
    for (std::uint32_t i = 0; i < nodes_[n].input_count; ++i) touch(nodes_[n].inputs[i]);
    for (std::uint32_t o = 0; o < nodes_[n].output_count; ++o) touch(nodes_[n].first_output + o);
  }
  for (const Var x : outputs) touch(x.index_);
  for (const Var x : inputs) touch(x.index_);
  std::ranges::sort(touched);
  touched.erase(std::ranges::unique(touched).begin(), touched.end());

  // All that backward notes is put aside, and put back at the end; packed forms of numbers may stay.
  struct Aside {
    Tape& tape;
    std::span<const std::uint32_t> ids;
    std::vector<Value> values{};
    Gradients unused{};
    Gradients* gradients = std::exchange(tape.gradients_, &unused);
    std::vector<Observer*> observers = std::exchange(tape.observers_, {});
    std::size_t pairs = tape.pairs_.size();

    ~Aside() {
      for (std::size_t i = 0; i < ids.size(); ++i) {
        Value& v = tape.values_[ids[i]];
        if (v.gradient) tape.pool_.give(v.gradient, tape.gradient_bytes(v));
        std::ranges::copy(v.forms, values[i].forms);
        v = values[i];
      }
      tape.gradients_ = gradients;
      tape.observers_ = std::move(observers);
      tape.pairs_.resize(pairs);
    }
  } aside{*this, touched};
  for (const std::uint32_t id : touched) {
    Value& v = values_[id];
    aside.values.push_back(v);
    v.gradient = nullptr;
    v.valid_begin = v.valid_end = 0;
    v.parameter = nullptr;
    v.pins = 0;
    v.first_pair = kNone;
    v.wants_gradient = false;
  }

  // A value wants a gradient if memory that it shares depends on an input.
  auto wants = [&](std::uint32_t id) -> bool& { return values_[values_[id].root].wants_gradient; };
  for (const Var x : inputs) wants(x.index_) = true;
  for (std::uint32_t n = begin; n < end; ++n) {
    bool any = false;
    for (std::uint32_t i = 0; i < nodes_[n].input_count; ++i) any = any || wants(nodes_[n].inputs[i]);
    for (std::uint32_t o = 0; any && o < nodes_[n].output_count; ++o)
      wants(nodes_[n].first_output + o) = true;
  }
  for (const std::uint32_t id : touched) values_[id].wants_gradient = wants(id);

  for (std::size_t i = 0; i < outputs.size(); ++i)
    if (wants(outputs[i].index_)) add_seed(outputs[i].index_, &seeds[i]);
  for (std::uint32_t n = end; n-- > begin;) {
    const Node& node = nodes_[n];
    bool any = false;
    for (std::uint32_t o = 0; o < node.output_count; ++o)
      any = any || reached(values_[node.first_output + o]);
    if (!any || !node.wants_gradient) continue;
    for (std::uint32_t o = 0; o < node.output_count; ++o) complete_gradient(node.first_output + o);
    node.table->backward(*this, node);
    if (node.deferred < 0) continue;
    const std::uint32_t id = node.inputs[node.deferred];
    if (values_[id].first_pair != kNone) flush_(*this, id);
    values_[id].first_pair = kNone;
  }
  std::vector<Tensor> result;
  for (const Var x : inputs) result.push_back(gradient_tensor(x.index_));
  return result;
}

}  // namespace unroll::autograd
