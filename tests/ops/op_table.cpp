#include "tests/ops/op_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "autograd/gradient_check.h"
#include "ops/elementwise.h"
#include "ops/matmul.h"
#include "ops/random.h"
#include "tests/autograd/inspect/footprint.h"

namespace unroll::tests {

namespace {

constexpr Index kColumnsBefore = 3, kColumnsAround = 5, kRowsBefore = 1, kRowsAround = 3;
constexpr std::size_t kSamplesNeeded = 20;
constexpr Index kFullCheck = 100;  // elements up to which every element is checked

// -- Numbers of a sample.

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : generator_(seed) {}

  double number(const Domain& d) {
    if (!d.choices.empty()) return d.choices[generator_.below(d.choices.size())];
    for (;;) {
      const double x = generator_.uniform(d.low, d.high);
      const auto near = [x](double other, double distance) { return std::abs(x - other) < distance; };
      const auto next = taken_.lower_bound(x);
      if (next != taken_.end() && near(*next, kApart)) continue;
      if (next != taken_.begin() && near(*std::prev(next), kApart)) continue;
      if (std::ranges::any_of(d.kinks, [&](double k) { return near(k, kFromKinks); })) continue;
      taken_.insert(x);
      return x;
    }
  }

 private:
  static constexpr double kApart = 1e-4, kFromKinks = 0.05;
  Generator generator_;
  std::set<double> taken_;
};

// -- A sample in a layout: leaves, and the inputs as pieces of them.

struct Leaf {
  Tensor numbers;
  bool constant;
};
struct Piece {
  std::size_t leaf;
  Layout cut;  // whole, columns or rows
  Index begin;
  Shape shape;
};
struct Case {
  const OpEntry* entry;
  std::string name;
  Layout layout;
  std::vector<Leaf> leaves;
  std::vector<Piece> pieces;

  Outputs build(Tape& tape, Inputs leaf_vars) const { return entry->build(tape, inputs(tape, leaf_vars)); }
  std::vector<Var> inputs(Tape& tape, Inputs leaf_vars) const {
    std::vector<Var> result;
    for (const Piece& p : pieces) {
      const Var leaf = leaf_vars[p.leaf];
      result.push_back(p.cut == Layout::columns ? tape.columns(leaf, p.begin, p.shape.cols())
                       : p.cut == Layout::rows  ? tape.rows(leaf, p.begin, p.shape[0])
                                                : leaf);
    }
    return result;
  }
};

const Domain& domain_of(const OpEntry& entry, std::size_t input) {
  return entry.domains[std::min(input, entry.domains.size() - 1)];
}

Leaf draw(const Shape& shape, const Domain& domain, Draw& numbers) {
  return {tabulate(shape, [&](Index, Index) { return numbers.number(domain); }), domain.constant};
}

bool alike(const Domain& a, const Domain& b) {
  return a.low == b.low && a.high == b.high && a.kinks == b.kinks && a.choices == b.choices &&
         a.constant == b.constant;
}

// One leaf of which the inputs are the columns, side by side.
void share(Case& c, const std::vector<Shape>& shapes, Draw& numbers) {
  Index width = 0;
  for (const Shape& s : shapes) width += s.cols();
  Tensor all(shapes[0].with(-1, width), f64);
  Index begin = 0;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    for (Index r = 0; r < all.shape().rows(); ++r)
      for (Index k = 0; k < shapes[i].cols(); ++k)
        all.view<double>()(r, begin + k) = numbers.number(domain_of(*c.entry, i));
    c.pieces.push_back({0, Layout::columns, begin, shapes[i]});
    begin += shapes[i].cols();
  }
  c.leaves.push_back({all, false});
}

bool allowed(const OpEntry& entry, const std::vector<Shape>& shapes, Layout layout) {
  auto every = [&](auto holds) {
    for (std::size_t i = 0; i < shapes.size(); ++i)
      if (!holds(shapes[i], domain_of(entry, i))) return false;
    return true;
  };
  const bool ranked = every([](const Shape& s, const Domain&) { return s.rank() > 0; });
  switch (layout) {
    case Layout::whole:
    case Layout::parameters:
      return true;
    case Layout::columns:
    case Layout::rows:
      return ranked;
    case Layout::shared:
      return ranked && shapes.size() > 1 && every([&](const Shape& s, const Domain& d) {
               return !d.constant && s.without(-1) == shapes[0].without(-1);
             });
    case Layout::same:
      return shapes.size() > 1 && every([&](const Shape& s, const Domain& d) {
               return s == shapes[0] && alike(d, domain_of(entry, 0));
             });
  }
  return false;
}

Case make_case(const OpEntry& entry, const std::vector<Shape>& shapes, Layout layout) {
  static constexpr const char* names[] = {"whole", "parameters", "columns", "rows", "shared", "same"};
  Case c{&entry, entry.name, layout, {}, {}};
  for (const Shape& s : shapes) c.name += fmt::format(" {}", to_string(s));
  c.name += fmt::format(" {}", names[static_cast<int>(layout)]);
  Draw numbers(17);
  if (layout == Layout::shared) {
    share(c, shapes, numbers);
    return c;
  }
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const Shape& s = shapes[i];
    const Domain& domain = domain_of(entry, i);
    if (layout == Layout::columns) {
      c.leaves.push_back(draw(s.with(-1, s.cols() + kColumnsAround), domain, numbers));
      c.pieces.push_back({i, Layout::columns, kColumnsBefore, s});
    } else if (layout == Layout::rows) {
      c.leaves.push_back(draw(s.with(0, s[0] + kRowsAround), domain, numbers));
      c.pieces.push_back({i, Layout::rows, kRowsBefore, s});
    } else {
      if (layout != Layout::same || i == 0) c.leaves.push_back(draw(s, domain, numbers));
      c.pieces.push_back({c.leaves.size() - 1, Layout::whole, 0, s});
    }
  }
  return c;
}

// -- One pass: outputs, and the gradients of the leaves for fixed derivatives of the outputs.

struct Pass {
  std::vector<Tensor> inputs, outputs, gradients;  // gradients of leaves; empty for those that want none
};
struct PassOptions {
  DType dtype = f64;
  bool poison = false;
  std::optional<std::size_t> only_leaf = {};  // the others are constants
  bool used_again = false;                    // each leaf has a gradient before the op adds to it
  bool released = false;                      // inputs are copies whose numbers are released
};

double seed(Index i) { return std::cos(1.7 * static_cast<double>(i) + 0.3); }

Var contracted(Var x) {
  Tape& tape = x.tape();
  const Tensor weights = tabulate({x.shape().size(), 1}, [](Index r, Index) { return seed(r); });
  return matmul(tape.reshape(x, {1, x.shape().size()}), tape.constant(weights));
}

class Runner {
 public:
  explicit Runner(std::set<const autograd::OpTable*>& seen) : seen_(seen) {}

  Pass run(const Case& c, PassOptions options) {
    Tape tape(options.dtype);
    tape.poison(options.poison);
    Gradients gradients;
    std::vector<Parameter> parameters;
    for (const Leaf& leaf : c.leaves)
      parameters.emplace_back("leaf", leaf.numbers.shape(), options.dtype).value() =
          leaf.numbers.to(options.dtype);
    std::vector<Var> leaves;
    bool any = false;
    for (std::size_t i = 0; i < c.leaves.size(); ++i) {
      const bool wanted = !c.leaves[i].constant && options.only_leaf.value_or(i) == i;
      any = any || wanted;
      leaves.push_back(!wanted                          ? tape.constant(parameters[i].value())
                       : c.layout == Layout::parameters ? tape.parameter(parameters[i])
                                                        : tape.variable(parameters[i].value()));
    }
    std::vector<Var> given = leaves;
    if (options.released)
      for (Var& x : given) x = tape.donate(x * 1.0);
    Pass pass;
    for (Var x : c.inputs(tape, leaves)) pass.inputs.push_back(x.tensor());
    const Outputs outputs = c.build(tape, given);
    note(tape);
    for (Var y : outputs) pass.outputs.push_back(y.tensor());
    if (!any) return pass;
    Var total = tape.zeros({1, 1});
    for (Var y : outputs) total = total + contracted(y);
    if (options.used_again)
      for (Var x : leaves) total = total + contracted(x);
    tape.backward(total, gradients);
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      if (!tape.value(leaves[i].index()).wants_gradient)
        pass.gradients.emplace_back();
      else if (c.layout != Layout::parameters)
        pass.gradients.push_back(tape.gradient(leaves[i]));
      else
        pass.gradients.push_back(gradients.find(parameters[i])
                                     ? gradients.dense(parameters[i])
                                     : Tensor(parameters[i].shape(), options.dtype));
    }
    return pass;
  }

  /// The pass with nothing but its memory to be seen.
  static std::string forecast_error(const Case& c, DType dtype) {
    std::vector<Parameter> parameters;
    for (const Leaf& leaf : c.leaves)
      parameters.emplace_back("leaf", leaf.numbers.shape(), dtype).value() = leaf.numbers.to(dtype);
    return tests::forecast_error(
        [&](Tape& tape) {
          std::vector<Var> leaves;
          for (std::size_t i = 0; i < c.leaves.size(); ++i)
            leaves.push_back(c.leaves[i].constant             ? tape.constant(parameters[i].value())
                             : c.layout == Layout::parameters ? tape.parameter(parameters[i])
                                                              : tape.variable(parameters[i].value()));
          Var total;
          for (Var y : c.build(tape, leaves)) {
            const Var term = contracted(y);
            total = total.defined() ? total + term : term;
          }
          return tape.value(total.index()).wants_gradient ? total : Var();
        },
        dtype);
  }

  autograd::GradientCheck check(const Case& c, std::size_t output) {
    std::vector<Tensor> wanted;
    for (const Leaf& leaf : c.leaves)
      if (!leaf.constant) wanted.push_back(leaf.numbers);
    Index count = 0;
    for (const Tensor& t : wanted) count += t.size();
    if (wanted.empty()) return {};
    auto f = [&](Tape& tape, Inputs vars) {
      std::vector<Var> leaves;
      std::size_t next = 0;
      for (const Leaf& leaf : c.leaves)
        leaves.push_back(leaf.constant ? tape.constant(leaf.numbers) : vars[next++]);
      return c.build(tape, leaves)[output];
    };
    return count <= kFullCheck ? check_gradient(f, wanted) : check_projection(f, wanted);
  }

 private:
  void note(const Tape& tape) {
    for (const autograd::Node& node : tape.nodes()) seen_.insert(node.table);
  }
  std::set<const autograd::OpTable*>& seen_;
};

// -- Comparisons. Each returns what is wrong, or nothing.

std::string different(const Tensor& a, const Tensor& b, double tolerance) {
  if (a.shape() != b.shape())
    return fmt::format("shape {} and {}", to_string(a.shape()), to_string(b.shape()));
  double scale = 1;
  for (double x : b.values()) scale = std::max(scale, std::abs(x));
  for (Index i = 0; i < a.size(); ++i)
    if (!(std::abs(a.at(i) - b.at(i)) <= tolerance * scale))
      return fmt::format("element {}: {} and {}", i, a.at(i), b.at(i));
  return "";
}

std::string different(const std::vector<Tensor>& a, const std::vector<Tensor>& b, double tolerance) {
  if (a.size() != b.size()) return fmt::format("{} tensors and {}", a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    if (auto difference = different(a[i], b[i], tolerance); !difference.empty())
      return fmt::format("{}: {}", i, difference);
  return "";
}

bool same_bits(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  return std::ranges::equal(a, b, [](const Tensor& x, const Tensor& y) {
    return x.shape() == y.shape() && (x.empty() || std::memcmp(x.raw(), y.raw(), x.bytes()) == 0);
  });
}

Case rounded_to_f32(Case c) {
  for (Leaf& leaf : c.leaves) leaf.numbers = leaf.numbers.to(f32).to(f64);
  return c;
}

void check_case(const Case& c, Runner& runner, std::vector<std::string>& wrong) {
  auto complain = [&](const char* what, const std::string& difference) {
    if (!difference.empty()) wrong.push_back(fmt::format("{}: {}: {}", c.name, what, difference));
  };
  const Pass pass = runner.run(c, {});
  complain("value against the formula (output, element)",
           different(pass.outputs, c.entry->expected(pass.inputs), c.entry->tolerance));

  for (std::size_t o = 0; o < pass.outputs.size(); ++o)
    if (const auto check = runner.check(c, o); !(check.error < 1e-6))
      complain("gradient against differences",
               fmt::format("output {}, {}: {} and {}, error {}", o, check.where, check.analytic,
                           check.numeric, check.error));

  const Case rounded = rounded_to_f32(c);
  const Pass precise = runner.run(rounded, {}), single = runner.run(rounded, {.dtype = f32});
  complain("f32 against f64", different(single.outputs, precise.outputs, c.entry->f32_tolerance));
  complain("f32 gradient against f64",
           different(single.gradients, precise.gradients, c.entry->f32_tolerance));

  for (DType dtype : {f32, f64}) {
    const Pass poisoned = runner.run(rounded, {.dtype = dtype, .poison = true});
    const Pass& clean = dtype == f32 ? single : precise;
    if (!same_bits(poisoned.outputs, clean.outputs)) complain("poisoned tape", "another value");
    if (!same_bits(poisoned.gradients, clean.gradients)) complain("poisoned tape", "another gradient");
  }

  for (std::size_t i = 0; i < c.leaves.size(); ++i) {
    if (c.leaves[i].constant || c.leaves.size() == 1) continue;
    const Pass alone = runner.run(c, {.only_leaf = i});
    complain("value when only one input wants a gradient", different(alone.outputs, pass.outputs, 1e-12));
    complain("gradient when only one input wants it",
             different(alone.gradients[i], pass.gradients[i], 1e-12));
  }

  for (DType dtype : {f32, f64}) complain("foretold memory", Runner::forecast_error(c, dtype));

  const Pass released = runner.run(c, {.released = true});
  for (std::size_t i = 0; i < pass.gradients.size(); ++i)
    if (!c.leaves[i].constant)
      complain("gradient in the place of numbers",
               different(released.gradients[i], pass.gradients[i], 1e-12));

  const Pass again = runner.run(c, {.used_again = true});
  for (std::size_t i = 0; i < pass.gradients.size(); ++i) {
    if (c.leaves[i].constant) continue;
    Tensor sum = pass.gradients[i];
    for (Index e = 0; e < sum.size(); ++e) sum.set(e, sum.at(e) + seed(e));
    complain("gradient added to another", different(again.gradients[i], sum, 1e-12));
  }
}

void check_bad(const OpEntry& entry, const BadInput& bad, std::vector<std::string>& wrong) {
  auto complain = [&](const std::string& came) {
    wrong.push_back(fmt::format("{}: bad input: \"{}\" came; needed \"{}\"", entry.name, came, bad.message));
  };
  Tape tape;
  try {
    bad.call(tape);
    complain("no error");
  } catch (const Error& error) {
    // The location must be the caller's, which is in the table.
    const std::string place = fmt::format(" ({}:{})", error.location().file, error.location().line);
    const bool ours = place.find("tests/") != std::string::npos;
    if (error.what() != bad.message + place || !ours) complain(error.what());
  }
}

}  // namespace

BadInput mismatched(const OpEntry& entry, std::size_t operands, const std::string& label) {
  std::string shapes;
  for (std::size_t i = 1; i < operands; ++i) shapes += "[2, 3], ";
  return {[build = entry.build, operands](Tape& tape) {
            std::vector<Var> inputs(operands - 1, tape.zeros({2, 3}));
            inputs.push_back(tape.zeros({3, 2}));
            build(tape, inputs);
          },
          fmt::format("[{}] shapes {}[3, 2] came; needed equal shapes, or rows, columns or scalars to repeat",
                      label, shapes)};
}

std::vector<std::string> complaints(const OpEntry& entry, std::set<const autograd::OpTable*>& seen) {
  std::vector<std::string> wrong;
  Runner runner(seen);
  auto any_of_size = [&](Index size) {
    return std::ranges::any_of(entry.samples, [size](const std::vector<Shape>& shapes) {
      return std::ranges::any_of(shapes, [size](const Shape& s) { return s.size() == size; });
    });
  };
  if (entry.samples.size() < kSamplesNeeded)
    wrong.push_back(
        fmt::format("{}: {} samples; needed {}", entry.name, entry.samples.size(), kSamplesNeeded));
  if (!any_of_size(0)) wrong.push_back(fmt::format("{}: no empty sample", entry.name));
  if (!any_of_size(1)) wrong.push_back(fmt::format("{}: no sample of size 1", entry.name));
  for (const std::vector<Shape>& shapes : entry.samples)
    for (Layout layout :
         {Layout::whole, Layout::parameters, Layout::columns, Layout::rows, Layout::shared, Layout::same}) {
      if (!allowed(entry, shapes, layout)) continue;
      const Case c = make_case(entry, shapes, layout);
      try {
        check_case(c, runner, wrong);
      } catch (const Error& error) {
        wrong.push_back(fmt::format("{}: {}", c.name, error.what()));
      }
    }
  if (entry.bad.empty() == entry.cannot_be_bad.empty())
    wrong.push_back(fmt::format("{}: {}; needed one of them", entry.name,
                                entry.bad.empty() ? "no bad input, and no reason why not"
                                                  : "bad input, and a reason why there is none"));
  for (const BadInput& bad : entry.bad) check_bad(entry, bad, wrong);
  return wrong;
}

std::vector<OpEntry> all_entries() {
  std::vector<OpEntry> all;
  for (auto family : {broadcast_ops, cell_ops, elementwise_ops, loss_ops, matmul_ops, reduce_ops, segment_ops,
                      shape_ops, softmax_ops})
    for (OpEntry& entry : family()) all.push_back(std::move(entry));
  return all;
}

}  // namespace unroll::tests
