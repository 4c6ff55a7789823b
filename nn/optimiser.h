// Optimisers: what to do with the gradients of a pass.
//
//   Optimiser optimiser(parameters(model), Adam{.learning_rate = 1e-3});
//   for (...) {
//     ...
//     tape.backward(loss, gradients);
//     clip_by_global_norm(gradients, 1.0);
//     optimiser.step(gradients);
//     gradients.clear();
//     tape.clear();
//   }
//
// Parameter groups are further calls of add(), each with a rule of its own:
//
//   Optimiser optimiser(parameters_except(model, {"head"}), Adam{.learning_rate = 1e-3});
//   optimiser.add(parameters(model, "head"), Adam{.learning_rate = 1e-2, .weight_decay = 1e-4});
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "autograd/parameter.h"
#include "nn/named_tensor.h"
#include "ops/update.h"

namespace unroll::nn {

using autograd::NamedParameter;

// The rules. Formulas, element by element, stand in ops/update.h. `weight_decay` is L2 regularisation, which
// adds weight_decay * parameter to the gradient; in AdamW it shrinks the parameter instead.

/// Gradient descent; momentum as in Sutskever et al. 2013, with the learning rate outside of the velocity.
struct Sgd {
  double learning_rate = 0.01;
  double momentum = 0;
  bool nesterov = false;  // needs momentum
  double weight_decay = 0;
};
/// Tieleman and Hinton 2012.
struct RmsProp {
  double learning_rate = 0.01;
  double smoothing = 0.99;
  double epsilon = 1e-8;
  double momentum = 0;
  double weight_decay = 0;
};
/// Duchi, Hazan and Singer 2011.
struct Adagrad {
  double learning_rate = 0.01;
  double epsilon = 1e-10;
  double weight_decay = 0;
};
/// Kingma and Ba 2015.
struct Adam {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
};
/// Loshchilov and Hutter 2019: parameter -= learning_rate * weight_decay * parameter before Adam's step.
struct AdamW {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.01;
};
using Rule = std::variant<Sgd, RmsProp, Adagrad, Adam, AdamW>;

/// What step() does about a parameter that it holds and that got no gradient.
enum class Missing { refuse, skip };

/// Holds parameters in groups, the rule of each group, and the rules' state. A model may be moved while an
/// optimiser holds its parameters, and be assigned to, which changes their values; step() throws Error when
/// one has been destroyed.
class Optimiser {
 public:
  Optimiser() = default;
  Optimiser(std::span<const NamedParameter> parameters, const Rule& rule,
            SourceLocation location = SourceLocation::current()) {
    add(parameters, rule, location);
  }

  /// A further group. Throws Error for an empty one, a parameter or a path that is held already, or a setting
  /// out of range.
  void add(std::span<const NamedParameter> parameters, const Rule& rule,
           SourceLocation location = SourceLocation::current());

  /// Changes every parameter by its rule. A gradient of rows (a looked-up embedding) changes those rows only:
  /// in all others parameter and state stay as they are, without weight decay or momentum; the bias
  /// correction of Adam counts all steps.
  ///
  /// Throws Error, and changes nothing, if there is a gradient whose parameter it does not hold, or, unless
  /// told to skip it, no gradient for one that it holds: it names them. Frozen parameters are exempt, and
  /// stay as they are.
  void step(const Gradients& gradients, Missing missing = Missing::refuse,
            SourceLocation location = SourceLocation::current());
  /// Calls of step() so far.
  std::int64_t steps() const { return steps_; }

  /// Every learning rate is multiplied by `factor` from now on: where a Schedule comes in.
  void set_factor(double factor, SourceLocation location = SourceLocation::current());
  double factor() const { return factor_; }
  /// Of a group, in the order of add(), with the factor.
  double learning_rate(std::size_t group = 0) const;

  /// All that a resumed training needs, by name: "step", "factor", and for each parameter its path and the
  /// part, "encoder.weight.square".
  std::vector<NamedTensor> state() const;
  /// Throws Error, and changes nothing, unless names and shapes are those of state().
  void load_state(std::span<const NamedTensor> state, SourceLocation location = SourceLocation::current());

 private:
  struct Held {
    std::string path;
    std::shared_ptr<Parameter::Leaf> leaf;
    std::size_t group;
    std::vector<Tensor> state;
  };
  void check(const Gradients& gradients, Missing missing, SourceLocation location) const;
  void check_entry(const Gradients::Entry& entry, SourceLocation location) const;
  std::vector<Destination> parts();

  std::vector<Rule> groups_;
  std::vector<ops::Update> updates_;  // of the groups, in the current step
  std::vector<Held> held_;
  std::unordered_map<const Parameter::Leaf*, std::size_t> index_;
  std::int64_t steps_ = 0;
  double factor_ = 1;
};

}  // namespace unroll::nn

namespace unroll {
using nn::Adagrad;
using nn::Adam;
using nn::AdamW;
using nn::Missing;
using nn::Optimiser;
using nn::RmsProp;
using nn::Rule;
using nn::Sgd;
}  // namespace unroll
