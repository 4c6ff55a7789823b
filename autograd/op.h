// What an op is, and how one is recorded.
//
// An op is a plain, trivially destructible struct with
//
//   static constexpr const char* name = "square";     or a member `const char* label`
//   static constexpr int outputs = 1;
//   static constexpr unsigned reads_inputs, reads_outputs    bit i: backward reads the values of input i
//   Shape shape(const Inputs&) const                  or std::array<Shape, outputs>; rejects bad inputs
//   template <class T> void forward(Forward<T>&) const
//   template <class T> void backward(Backward<T>&) const     adds d_out * d out/d in to each wanted d_in
//
// and optionally
//
//   int aliased() const     the input whose memory the output overwrites, or -1 (Tape::donate_to_ops);
//                           reads_outputs is 0 then
//   int deferred() const    the input whose gradient backward defers, or -1 (see Backward::defer)
//   static constexpr bool reads_first = true      backward reads an element of all inputs, and
//                           then assigns its gradients: these may lie in their place (Tape::donate)
//   void watch(const Tape&, const Node&, Index elements, std::vector<Saturation>& found) const
//                           says how often it is saturated, for OpTable::watch
//   static constexpr bool has_parameters = true     it has a derivative even where no input wants one
//   static constexpr bool takes_memory = true     it takes other memory than for its outputs and, in their
//                           order, the gradients of its inputs: its forward and backward are then called on
//                           dry tapes too, where they take their memory and compute nothing (Pass::dry)
//   Work work(const Application&, Phase, Work usual) const
//                           where its work is not the usual (below)
//
// In place of forward it may have
//
//   template <class T> auto prepare(const Forward<T>&) const
//
// which finds out where things lie and returns a plain struct whose operator() does what forward does, as
// often as it is called (Replay), and keeps nothing.
#pragma once
#include <algorithm>
#include <cstring>
#include <limits>
#include <new>
#include <type_traits>

#include "autograd/replay.h"
#include "autograd/tape.h"

namespace unroll::autograd {

inline constexpr unsigned kAll = ~0u;

/// The shapes of an op's inputs, for its shape rule.
class Inputs {
 public:
  Inputs(const Tape& tape, const char* op, std::span<const Var> vars, SourceLocation location)
      : tape_(tape), op_(op), vars_(vars), location_(location) {}
  int size() const { return static_cast<int>(vars_.size()); }
  const Shape& operator[](int i) const {
    return tape_.value(vars_[static_cast<std::size_t>(i)].index()).shape;
  }
  /// Throws Error "[op] message (file:line)"; the message says what came and what was needed. Inside a
  /// module it is "[op] message, in net.layers.0 (file:line)".
  [[noreturn]] void reject(std::string_view message) const {
    const std::string module = tape_.scope_path(tape_.current_scope());
    fail(op_, module.empty() ? std::string(message) : std::string(message) + ", in " + module, location_);
  }

 private:
  const Tape& tape_;
  const char* op_;
  std::span<const Var> vars_;
  SourceLocation location_;
};

/// What a phase of a node does: arithmetic operations, and bytes of values that it reads and writes, each
/// counted once. The usual is one operation for each element of the outputs in forward, and of the wanted
/// inputs in backward; the bytes are those of inputs and outputs in forward, of their gradients and of the
/// values that backward claims to read in backward.
struct Work {
  double operations = 0, bytes = 0;
};

/// What an op may know of a node to say its work: shapes, and which gradients are wanted.
class Application {
 public:
  Application(const Tape& tape, const Node& node) : tape_(tape), node_(node) {}
  int inputs() const { return static_cast<int>(node_.input_count); }
  const Shape& in(int i) const { return tape_.value(node_.inputs[i]).shape; }
  const Shape& out(int o = 0) const {
    return tape_.value(node_.first_output + static_cast<std::uint32_t>(o)).shape;
  }
  bool wants(int i) const { return tape_.value(node_.inputs[i]).wants_gradient; }
  /// Bytes of so many values.
  double bytes(double values) const { return values * static_cast<double>(size_of(tape_.dtype())); }

 private:
  const Tape& tape_;
  const Node& node_;
};

/// Where a derivative is to be added. If `fresh`, the memory is undefined and every element must be assigned;
/// otherwise it holds a sum that must be added to.
template <class T>
struct Into {
  View<T> view;
  bool fresh;
};

/// What an op's forward sees: inputs, and outputs of the shapes it asked for, uninitialised.
template <class T>
class Forward {
 public:
  Forward(Tape& tape, const Node& node) : tape_(tape), node_(node) {}
  int inputs() const { return static_cast<int>(node_.input_count); }
  View<const T> in(int i) const { return view(node_.inputs[i]); }
  View<T> out(int o = 0) const { return view(node_.first_output + static_cast<std::uint32_t>(o)); }
  bool wants_gradient() const { return node_.wants_gradient; }
  /// Whether there is nothing to compute: see Pass::dry.
  bool dry() const { return tape_.dry(); }
  /// Memory that lives as long as the pass.
  template <class U>
  U* keep(Index count) const {
    return tape_.arena().template allocate_array<U>(static_cast<std::size_t>(count));
  }
  /// The tape and the position of input i there, for what a value keeps: Pass::packed_copy.
  Tape& tape() const { return tape_; }
  const Node& node() const { return node_; }
  std::uint32_t id(int i) const { return node_.inputs[i]; }
  Scratch<T> scratch(Index count) const { return Scratch<T>(tape_.pool(), count); }

 private:
  View<T> view(std::uint32_t id) const {
    const Value& v = tape_.value(id);
    return {reinterpret_cast<T*>(v.data), v.shape, v.stride};
  }
  Tape& tape_;
  const Node& node_;
};

/// What an op's backward sees. Gradients are added to, never assigned, unless Into says fresh.
template <class T>
class Backward {
 public:
  Backward(Walk& walk, const Node& node, unsigned reads_inputs, unsigned reads_outputs)
      : walk_(walk),
        tape_(walk.tape()),
        node_(node),
        reads_inputs_(reads_inputs),
        reads_outputs_(reads_outputs) {}

  int inputs() const { return static_cast<int>(node_.input_count); }
  /// Whether there is nothing to compute: see Pass::dry.
  bool dry() const { return tape_.dry(); }
  const Shape& in_shape(int i) const { return tape_.value(node_.inputs[i]).shape; }
  View<const T> in(int i) const { return view_if(node_.inputs[i], reads_inputs_ >> std::min(i, 31) & 1); }
  View<const T> out(int o = 0) const {
    return view_if(node_.first_output + static_cast<std::uint32_t>(o), reads_outputs_ >> o & 1);
  }
  /// Zero where no gradient reached an output.
  View<const T> d_out(int o = 0) const {
    const Value& v = tape_.value(node_.first_output + static_cast<std::uint32_t>(o));
    return {reinterpret_cast<const T*>(walk_.reached_gradient(v)), v.shape, v.stride};
  }
  bool wants(int i) const { return walk_.wants(tape_.value(node_.inputs[i])); }
  Into<T> d_in(int i) const {
    bool fresh = false;
    auto* memory = reinterpret_cast<T*>(walk_.gradient_memory(node_.inputs[i], fresh));
    const Value& v = tape_.value(node_.inputs[i]);
    return {{memory, v.shape, v.stride}, fresh};
  }
  /// The same, zeroed if it was fresh: always to be added to.
  View<T> add_to(int i) const {
    Into<T> d = d_in(i);
    if (d.fresh && !dry()) std::fill_n(d.view.data, d.view.size(), T(0));  // fresh memory is contiguous
    return d.view;
  }
  /// d_in of all inputs in `wanted` at once, a bit each; returns the bits of those that are fresh. Blocks of
  /// columns side by side are fresh together. Those in `summed` never are: they are zeroed instead.
  unsigned d_in(unsigned wanted, unsigned summed, std::byte** memory) const {
    return walk_.gradient_memory({node_.inputs, node_.input_count}, wanted, summed, memory);
  }
  /// For an input that is a whole parameter: where single rows of its gradient are added. Else nullptr.
  Gradients::Entry* sparse(int i) const { return walk_.sparse_entry(node_.inputs[i]); }

  /// Puts left' * right off: it will be added to the gradient of input i, together with all others of that
  /// input, by `flush`. `left` or `right` is d_out(), which is kept until then; the other is a forward value.
  void defer(int i, View<const T> left, View<const T> right, Flush flush) const {
    DeferredPair& pair = walk_.defer(node_.inputs[i], tape_.value(node_.first_output).buffer, flush);
    pair.left = reinterpret_cast<const std::byte*>(left.data);
    pair.right = reinterpret_cast<const std::byte*>(right.data);
    pair.rows = left.rows();
    pair.left_cols = left.cols();
    pair.right_cols = right.cols();
    pair.left_stride = left.stride;
    pair.right_stride = right.stride;
  }
  /// The tape and the position of input i there, for what a value keeps: Pass::packed_copy.
  Tape& tape() const { return tape_; }
  Walk& walk() const { return walk_; }
  const Node& node() const { return node_; }
  std::uint32_t id(int i) const { return node_.inputs[i]; }
  Scratch<T> scratch(Index count) const { return Scratch<T>(tape_.pool(), count); }

 private:
  View<const T> view_if(std::uint32_t id, bool claimed) const {
    const Value& v = tape_.value(id);
    if (!claimed && tape_.poisoned()) {
      const auto count = static_cast<std::size_t>(v.shape.size());
      return view_of<const T>(tape_.arena().template allocate_array<T>(count), v.shape);
    }
    return {reinterpret_cast<const T*>(v.data), v.shape, v.stride};
  }
  Walk& walk_;
  Tape& tape_;
  const Node& node_;
  unsigned reads_inputs_, reads_outputs_;
};

/// How often a function with two ends, called by an op's own function, was near one of them.
struct Saturation {
  const char* function;    // "sigmoid", "tanh", "relu"
  const char* name;        // that the author gave to what it returns, or nullptr
  unsigned operands;       // bit i: it depends on input i
  std::int64_t count;      // of elements that were looked at
  std::int64_t low, high;  // sigmoid: below 0.1, above 0.9; tanh: below -0.9, above 0.9; relu: at 0, none
};

/// One static table of functions an op type.
struct OpTable {
  const char* (*name)(const void* op);
  void (*forward)(Tape&, const Node&);
  void (*backward)(Walk&, const Node&);
  Replay::Call (*prepare)(Tape&, const Node&);
  /// Looks at about so many elements of what forward has computed. nullptr for most ops.
  void (*watch)(const Tape&, const Node&, Index elements, std::vector<Saturation>& found);
  Work (*work)(const void* op, const Application&, Phase, Work usual);
  unsigned reads_inputs, reads_outputs;  // whose values backward needs
  bool reads_first;                      // before it assigns gradients in their place
  const char* type;                      // C++ type of the op, for the test that no op goes untested
};

/// All op types that this program can record.
std::vector<const OpTable*>& all_ops();

namespace detail {

template <class O>
const char* op_name(const void* op) {
  if constexpr (requires(const O& o) { o.label; })
    return static_cast<const O*>(op)->label;
  else
    return O::name;
}
template <class O>
inline constexpr bool takes_memory = requires {
  O::takes_memory;
};
template <class O, class T>
inline constexpr bool prepares = requires(const O& op, const Forward<T>& context) {
  op.prepare(context);
};

template <class O, class T>
void compute(const O& op, Forward<T>& context) {
  if constexpr (prepares<O, T>) {
    const auto ready = op.prepare(context);
    if (!context.tape().dry()) ready();
  } else {
    op.forward(context);
  }
}

template <class O>
void op_forward(Tape& tape, const Node& node) {
  if (!takes_memory<O> && tape.dry()) return;
  const O& op = *static_cast<const O*>(node.op);
  dispatch(tape.dtype(), [&]<class T>() {
    Forward<T> context(tape, node);
    compute(op, context);
  });
}

// What forward does, to be called as often as one likes.
template <class O, class T>
auto ready(const O& op, const Forward<T>& context, const Node& node) {
  if constexpr (prepares<O, T>)
    return op.prepare(context);
  else
    return [&tape = context.tape(), index = &node - context.tape().nodes().data()] {
      op_forward<O>(tape, tape.nodes()[static_cast<std::size_t>(index)]);
    };
}

template <class O>
Replay::Call op_prepare(Tape& tape, const Node& node) {
  const O& op = *static_cast<const O*>(node.op);
  return dispatch(tape.dtype(), [&]<class T>() -> Replay::Call {
    const auto call = ready(op, Forward<T>(tape, node), node);
    using F = std::remove_const_t<decltype(call)>;
    static_assert(std::is_trivially_destructible_v<F>, "it lies in the arena and is never destroyed");
    return {[](const void* state) { (*static_cast<const F*>(state))(); },
            new (tape.arena().allocate_record(sizeof(F), alignof(F))) F(call), !prepares<O, T>};
  });
}
template <class O>
void op_backward(Walk& walk, const Node& node) {
  if (!takes_memory<O> && walk.dry()) return walk.take_gradients(node);
  const O& op = *static_cast<const O*>(node.op);
  dispatch(walk.dtype(), [&]<class T>() {
    Backward<T> context(walk, node, O::reads_inputs, O::reads_outputs);
    op.backward(context);
  });
}
template <class O>
void op_watch(const Tape& tape, const Node& node, Index elements, std::vector<Saturation>& found) {
  if constexpr (requires(const O& op) { op.watch(tape, node, elements, found); })
    static_cast<const O*>(node.op)->watch(tape, node, elements, found);
}
template <class O>
Work op_work(const void* op, const Application& at, Phase phase, Work usual) {
  if constexpr (requires(const O& o) { o.work(at, phase, usual); })
    return static_cast<const O*>(op)->work(at, phase, usual);
  else
    return usual;
}
template <class O>
constexpr OpTable table_of() {
  static_assert(std::is_trivially_destructible_v<O> && std::is_trivially_copyable_v<O>,
                "an op is a plain struct: it lives in the arena and is never destroyed");
  constexpr bool watched =
      requires(const O& op, const Tape& tape, const Node& node, std::vector<Saturation>& f) {
    op.watch(tape, node, Index{}, f);
  };
  constexpr bool reads_first = [] {
    if constexpr (requires { O::reads_first; })
      return O::reads_first;
    else
      return false;
  }();
  return {op_name<O>, op_forward<O>,   op_backward<O>,   op_prepare<O>, watched ? op_watch<O> : nullptr,
          op_work<O>, O::reads_inputs, O::reads_outputs, reads_first,   type_name<O>()};
}

}  // namespace detail

/// The table of an op type. A constant: models may run before main.
template <class O>
inline constexpr OpTable op_table = detail::table_of<O>();

namespace detail {
// Notes an op type in all_ops() when the program starts, used or not.
template <class O>
inline const bool registered = (all_ops().push_back(&op_table<O>), true);
}  // namespace detail

template <class O>
std::array<Var, O::outputs> Tape::record(const O& op, std::span<const Var> inputs, SourceLocation location) {
  const char* name = detail::op_name<O>(&op);
  for (Var x : inputs) check(x, name, location);
  const Inputs shapes(*this, name, inputs, location);
  const std::array<Shape, O::outputs> outputs{op.shape(shapes)};
  return record_checked(op, inputs, outputs, location);
}

template <class O>
std::array<Var, O::outputs> Pass::record_checked(const O& op, std::span<const Var> inputs,
                                                 std::span<const Shape> outputs, SourceLocation location) {
  (void)&detail::registered<O>;
  int aliased = -1, deferred = -1;
  if constexpr (requires { op.aliased(); }) {
    static_assert(O::reads_outputs == 0, "gradients of what it overwrites may lie in its place");
    aliased = op.aliased();
  }
  if constexpr (requires { op.deferred(); }) deferred = op.deferred();
  constexpr bool wants = requires { O::has_parameters; };
  static_assert(O::outputs > 0 && O::outputs < 256, "a node counts them in a byte");
  const void* kept = new (arena().allocate_record(sizeof(O), alignof(O))) O(op);
  const std::uint32_t node =
      begin_node(&op_table<O>, kept, inputs, outputs, aliased, deferred, wants, location);
  run_forward(node, [&] { detail::op_forward<O>(static_cast<Tape&>(*this), records_.nodes[node]); });
  std::array<Var, O::outputs> result;
  const std::uint32_t first = records_.nodes[node].first_output;
  for (std::uint32_t o = 0; o < O::outputs; ++o) result[o] = new_handle(first + o);
  return result;
}

}  // namespace unroll::autograd
