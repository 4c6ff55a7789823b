// Backward through a few nodes of a pass, beside the walk over all of it.
#include <algorithm>
#include <utility>

#include "autograd/op.h"

namespace unroll::autograd {

std::vector<Tensor> Tape::pull_back(std::uint32_t begin, std::uint32_t end, std::span<const Var> outputs,
                                    std::span<const Tensor> seeds, std::span<const Var> inputs) {
  std::vector<std::uint32_t> touched, memories;
  auto owner = [&](std::uint32_t id) { return root(id).value; };
  auto touch = [&](std::uint32_t id) {
    touched.insert(touched.end(), {id, owner(id)});
    memories.push_back(values_[id].root);
  };
  for (std::uint32_t n = begin; n < end; ++n) {
    for (std::uint32_t i = 0; i < nodes_[n].input_count; ++i) touch(nodes_[n].inputs[i]);
    for (std::uint32_t o = 0; o < nodes_[n].output_count; ++o) touch(nodes_[n].first_output + o);
  }
  for (const Var x : outputs) touch(x.index_);
  for (const Var x : inputs) touch(x.index_);
  for (auto* list : {&touched, &memories}) {
    std::ranges::sort(*list);
    list->erase(std::unique(list->begin(), list->end()), list->end());
  }

  for (const std::uint32_t id : memories)
    if (roots_[id].overwritten) reject_overwritten("pull_back", {});

  // All that backward notes is put aside, and put back at the end; packed forms of numbers may stay.
  struct Noted {
    bool wants_gradient;
    std::uint32_t first_pair, last_pair;
  };
  struct Aside {
    Tape& tape;
    std::span<const std::uint32_t> ids, memories;
    std::vector<Noted> values{};
    std::vector<Root> roots{};
    Gradients unused{};
    Gradients* gradients = std::exchange(tape.gradients_, &unused);
    Observers::Mute mute{*tape.observers_};
    std::size_t pairs = tape.pairs_.size();
    bool pulled_back = std::exchange(tape.pulls_back_, true);

    ~Aside() {
      for (std::size_t i = 0; i < values.size(); ++i) {
        Value& v = tape.values_[ids[i]];
        v.wants_gradient = values[i].wants_gradient;
        if (v.operand == 0) continue;
        tape.operand(ids[i]).first_pair = values[i].first_pair;
        tape.operand(ids[i]).last_pair = values[i].last_pair;
      }
      for (std::size_t i = 0; i < memories.size(); ++i) {
        Root& root = tape.roots_[memories[i]];
        if (root.gradient) tape.pool_.give(root.gradient, static_cast<std::size_t>(root.bytes));
        root = roots[i];
      }
      tape.gradients_ = gradients;
      tape.pulls_back_ = pulled_back;
      tape.pairs_.shrink(pairs);
    }
  } aside{*this, touched, memories};
  for (const std::uint32_t id : touched) {
    Value& v = values_[id];
    const Operand* factor = find_operand(id);
    aside.values.push_back(
        {v.wants_gradient, factor ? factor->first_pair : kNone, factor ? factor->last_pair : 0});
    if (factor) operand(id).first_pair = kNone;
    v.wants_gradient = false;
  }
  for (const std::uint32_t id : memories) {
    Root& root = roots_[id];
    aside.roots.push_back(root);
    root.gradient = nullptr;
    root.valid_begin = root.valid_end = 0;
    root.parameter = nullptr;
    root.pins = 0;
    root.released = false;
  }

  // A value wants a gradient if memory that it shares depends on an input.
  auto wants = [&](std::uint32_t id) -> bool& { return values_[owner(id)].wants_gradient; };
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
    for (std::uint32_t o = 0; o < node.output_count; ++o) {
      const Value& output = values_[node.first_output + o];
      complete(with_gradient(output.root), begin_of(output), end_of(output));
    }
    node.table->backward(*this, node);
    if (node.deferred < 0) continue;
    const std::uint32_t id = node.inputs[node.deferred];
    if (operand(id).first_pair != kNone) flush_(*this, id);
    operand(id).first_pair = kNone;
  }
  std::vector<Tensor> result;
  for (const Var x : inputs) result.push_back(gradient_tensor(x.index_));
  return result;
}

}  // namespace unroll::autograd
