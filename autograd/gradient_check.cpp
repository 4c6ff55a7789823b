#include "autograd/gradient_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "autograd/op.h"

namespace unroll::autograd {

namespace {

constexpr double kStep = 1e-5, kLongestStep = 2e-3, kAgreement = 1e-8;
constexpr double kGradientFloor = 1e-3, kValueFloor = 1e-6, kRounding = 2.3e-16;

// y = x.
struct Copy {
  static constexpr const char* name = "copy";
  static constexpr int outputs = 1;
  static constexpr unsigned reads_inputs = 0, reads_outputs = 0;

  Shape shape(const Inputs& in) const { return in[0]; }
  template <class T>
  void forward(Forward<T>& context) const {
    copy(context.in(0), context.out());
  }
  template <class T>
  void backward(Backward<T>& context) const {
    const View<const T> from = context.d_out();
    const View<T> to = context.add_to(0);
    for (Index r = 0; r < from.rows(); ++r)
      for (Index c = 0; c < from.cols(); ++c) to(r, c) += from(r, c);
  }
};

// The ways of backward that must all come to the same. Each is a mistake that an op can make.
enum class Way {
  plain,     // poisoned, as all are: an op that reads values which it has not claimed
  added,     // inputs have a gradient already: an op that assigns its own
  released,  // gradients may lie in the place of inputs: an op that reads these after it has written
};
constexpr std::array kSuffixes{"", ", added to another gradient", ", in the place of its values"};

// Something whose elements are moved: an input or a parameter.
struct Place {
  std::string name;
  Tensor* value;
};

// A function of places, whichever of the two forms it came in. What a gradient is added to is in `sums`, and
// then in the gradient.
struct Subject {
  std::vector<Place> places;
  std::vector<Way> ways;
  std::function<Var(Tape&, Way, std::vector<Tensor>& sums, Gradients&)> run;
  std::function<Tensor(Tape&, Way, const std::vector<Tensor>& sums, const Gradients&, std::size_t place)>
      gradient;
  SourceLocation location;
};

Subject subject(const FunctionOfInputs& f, std::vector<Tensor>& inputs, std::vector<Var>& leaves,
                SourceLocation location) {
  Subject s;
  s.ways = {Way::plain, Way::added, Way::released};
  for (std::size_t i = 0; i < inputs.size(); ++i)
    s.places.push_back({fmt::format("input {}", i), &inputs[i]});
  s.run = [&f, &inputs, &leaves](Tape& tape, Way way, std::vector<Tensor>& sums, Gradients&) {
    leaves.clear();
    std::vector<Var> vars;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      Tensor& x = inputs[i];
      leaves.push_back(way == Way::added ? tape.borrow(x.raw(), x.shape(), x.shape().cols(), sums[i].raw())
                                         : tape.variable(x));
      vars.push_back(way == Way::released ? detail::donated_copy(leaves.back()) : leaves.back());
    }
    return f(tape, vars);
  };
  s.gradient = [&leaves](Tape& tape, Way way, const std::vector<Tensor>& sums, const Gradients&,
                         std::size_t i) { return way == Way::added ? sums[i] : tape.gradient(leaves[i]); };
  s.location = location;
  return s;
}

Subject subject(const FunctionOfModel& f, std::span<const NamedParameter> parameters,
                SourceLocation location) {
  Subject s;
  s.ways = {Way::plain, Way::added};
  std::vector<const Parameter*> trainable;
  for (const auto& [path, p] : parameters) {
    if (std::as_const(*p).value().dtype() != DType::f64)
      fail("gradient check",
           fmt::format("'{}' of f32 came; needed f64: call convert(model, f64) first", path), location);
    if (!p->trainable()) continue;
    s.places.push_back({fmt::format("'{}'", path), &p->value()});
    trainable.push_back(p);
  }
  s.run = [&f, trainable](Tape& tape, Way way, std::vector<Tensor>& sums, Gradients& gradients) {
    for (std::size_t i = 0; way == Way::added && i < trainable.size(); ++i) {
      Gradients::Entry& entry = gradients.of(trainable[i]->leaf(), DType::f64);
      entry.touch_all();
      entry.buffer() = sums[i];
    }
    return f(tape);
  };
  s.gradient = [trainable](Tape&, Way, const std::vector<Tensor>&, const Gradients& gradients,
                           std::size_t i) {
    const bool reached = gradients.find(*trainable[i]) != nullptr;
    return reached ? gradients.dense(*trainable[i]) : Tensor(trainable[i]->shape(), DType::f64);
  };
  s.location = location;
  return s;
}

// Puts the values back however the scope is left.
class Restore {
 public:
  explicit Restore(const std::vector<Place>& places) : places_(places) {
    for (const Place& p : places) before_.push_back(*p.value);
  }
  Restore(const Restore&) = delete;
  Restore& operator=(const Restore&) = delete;
  ~Restore() {
    for (std::size_t i = 0; i < places_.size(); ++i)
      std::memcpy(places_[i].value->raw(), before_[i].raw(), before_[i].bytes());
  }

 private:
  const std::vector<Place>& places_;
  std::vector<Tensor> before_;
};

// The same stream on every machine, which the distributions of the standard library do not promise.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  // Of either sign, magnitude in [0.5, 1): no element of a gradient is lost to a factor near 0.
  double operator()() {
    const std::uint64_t bits = engine_();
    const double magnitude = 0.5 + static_cast<double>(bits >> 12) * 0x1p-53;
    return bits & 1 ? magnitude : -magnitude;
  }

 private:
  std::mt19937_64 engine_;
};

double largest(const Tensor& t) {
  double most = 0;
  for (double x : t.span<double>()) most = std::max(most, std::abs(x));
  return most;
}

class Checker {
 public:
  Checker(const Subject& subject, GradientCheckOptions options) : subject_(subject), random_(options.seed) {
    tape_.poison(true);
    at_rest_ = value();
    seed_ = Tensor(at_rest_.shape(), DType::f64);
    for (double& s : seed_.span<double>()) s = random_();
    value_floor_ = kValueFloor * largest(at_rest_);
    for (std::size_t o = 0; o < count_of(seed_); ++o)
      rounding_ += kRounding * std::abs(seed_.span<double>()[o] * at_rest_.span<double>()[o]);
    expect_same_value();
    for (Way way : subject_.ways) add_gradients(way);
  }

  GradientCheck every_element() {
    double most = 0;
    for (const Tensor& g : gradients_[0]) most = std::max(most, largest(g));
    const double floor = std::max(kGradientFloor * most, value_floor_);
    GradientCheck worst;
    const Restore restore(subject_.places);
    for (std::size_t i = 0; i < subject_.places.size(); ++i)
      for (std::size_t e = 0; e < count_of(gradients_[0][i]); ++e) {
        std::vector<double> analytic;
        for (const auto& gradients : gradients_) analytic.push_back(gradients[i].span<double>()[e]);
        double& x = subject_.places[i].value->span<double>()[e];
        auto difference = [&](double step) { return slope(x, step * std::max(1.0, std::abs(x))); };
        take_worse(worst, analytic, floor, difference, [&] {
          return fmt::format("{}, element {} of {}", subject_.places[i].name, e,
                             to_string(gradients_[0][i].shape()));
        });
      }
    return worst;
  }

  GradientCheck projection() {
    std::vector<Tensor> direction;
    double norm = 0;
    std::size_t count = 0;
    for (const Tensor& g : gradients_[0]) count += count_of(g);
    // Between a direction of length 1 (differences drown in rounding) and one of length sqrt(count) (the
    // function is not straight so far out).
    const double scale = 1 / std::sqrt(std::sqrt(static_cast<double>(std::max<std::size_t>(count, 1))));
    for (const Tensor& g : gradients_[0])
      for (double& d : direction.emplace_back(g.shape(), DType::f64).span<double>()) d = scale * random_();
    std::vector<double> analytic(gradients_.size());
    for (std::size_t i = 0; i < direction.size(); ++i)
      for (std::size_t e = 0; e < count_of(direction[i]); ++e) {
        for (std::size_t way = 0; way < gradients_.size(); ++way)
          analytic[way] += gradients_[way][i].span<double>()[e] * direction[i].span<double>()[e];
        norm += std::pow(gradients_[0][i].span<double>()[e], 2);
      }
    const double floor = std::max(kGradientFloor * scale * std::sqrt(norm), value_floor_);
    GradientCheck result;
    take_worse(
        result, analytic, floor, [&](double step) { return along(direction, step); },
        [] { return std::string("projection"); });
    return result;
  }

 private:
  static std::size_t count_of(const Tensor& t) { return t.span<double>().size(); }

  static double relative(double analytic, double numeric, double floor) {
    const double difference = std::abs(analytic - numeric);
    if (difference == 0) return 0;
    if (!std::isfinite(difference)) return std::numeric_limits<double>::infinity();
    return difference / std::max({std::abs(analytic), std::abs(numeric), floor});
  }

  // What a gradient is added to is about as large as the gradient, and taken away again.
  void add_gradients(Way way) {
    std::vector<Tensor> sums, added;
    for (std::size_t i = 0; way == Way::added && i < subject_.places.size(); ++i) {
      const double most = largest(gradients_[0][i]);
      Tensor& sum = sums.emplace_back(subject_.places[i].value->shape(), DType::f64);
      for (double& x : sum.span<double>()) x = random_() * (most > 0 && std::isfinite(most) ? most : 1);
      added_most_ = std::max(added_most_, largest(sum));
    }
    added = sums;
    tape_.clear();
    Gradients gradients;
    const Var output = subject_.run(tape_, way, sums, gradients);
    tape_.backward(output, seed_, gradients, subject_.location);
    std::vector<Tensor>& result = gradients_.emplace_back();
    for (std::size_t i = 0; i < subject_.places.size(); ++i) {
      Tensor& g = result.emplace_back(subject_.gradient(tape_, way, sums, gradients, i));
      for (std::size_t e = 0; way == Way::added && e < count_of(g); ++e)
        g.span<double>()[e] -= added[i].span<double>()[e];
    }
  }

  Tensor value() {
    tape_.clear();
    std::vector<Tensor> none;
    Gradients gradients;
    Tensor result = subject_.run(tape_, Way::plain, none, gradients).tensor(subject_.location);
    if (seed_.empty() || result.shape() == at_rest_.shape()) return result;
    fail("gradient check",
         fmt::format("outputs of shapes {} and {} came; needed one shape for all inputs",
                     to_string(at_rest_.shape()), to_string(result.shape())),
         subject_.location);
  }

  void expect_same_value() {
    if (std::memcmp(value().raw(), at_rest_.raw(), at_rest_.bytes()) != 0)
      fail("gradient check",
           "two values came at one point; needed a function that gives the same values each time: make its "
           "generator inside",
           subject_.location);
  }

  // Outputs are subtracted one by one before they are added up, so that large ones that did not move do not
  // drown small ones that did.
  double difference(const Tensor& above, const Tensor& below) const {
    double sum = 0;
    for (std::size_t o = 0; o < count_of(seed_); ++o)
      sum += seed_.span<double>()[o] * (above.span<double>()[o] - below.span<double>()[o]);
    return sum;
  }

  // (f(x + h) - f(x - h)) / 2 h, with the h that the values really moved by.
  double slope(double& x, double step) {
    const double before = x, above = before + step, below = before - step;
    x = above;
    const Tensor value_above = value();
    x = below;
    const Tensor value_below = value();
    x = before;
    return difference(value_above, value_below) / (above - below);
  }

  // Of the slopes that differences over shorter and shorter steps give, extrapolated to a step of 0 (Ridders
  // 1982), the one that its neighbours agree with best. The analytic one has no say in that.
  template <class Difference>
  double extrapolated(Difference difference) const {
    constexpr std::size_t kSteps = 15, kOrders = 5;
    double best = std::nan(""), least = std::numeric_limits<double>::infinity();
    std::array<double, kOrders> before{}, now{};
    double step = kLongestStep;
    for (std::size_t k = 0; k < kSteps && !(least <= 1e-12 * std::abs(best)); ++k, step /= 2) {
      now[0] = difference(step);
      double factor = 1;
      for (std::size_t order = 0; order < std::min(k, kOrders); ++order) {
        const double error = std::max(std::abs(now[order] - before[order]),
                                      order > 0 ? std::abs(now[order] - now[order - 1]) : 0) +
                             rounding_ / step;
        if (error < least) {
          least = error;
          best = now[order];
        }
        factor *= 4;
        if (order + 1 < kOrders) now[order + 1] = now[order] + (now[order] - before[order]) / (factor - 1);
      }
      before = now;
    }
    return best;
  }

  template <class Difference, class Name>
  void take_worse(GradientCheck& worst, const std::vector<double>& analytic, double floor,
                  Difference difference, Name name) const {
    double numeric = difference(kStep);
    auto agree = [&](double x) { return relative(x, numeric, floor) <= kAgreement; };
    if (!std::ranges::all_of(analytic, agree))
      if (const double better = extrapolated(difference); !std::isnan(better)) numeric = better;
    for (std::size_t way = 0; way < analytic.size(); ++way) {
      // What was added and taken away again leaves its rounding behind.
      const double added = subject_.ways[way] == Way::added ? kValueFloor * added_most_ : 0;
      const double error = relative(analytic[way], numeric, std::max(floor, added));
      if (error <= worst.error && !worst.where.empty()) continue;
      worst = {error, name() + kSuffixes[way], analytic[way], numeric};
    }
  }

  double along(const std::vector<Tensor>& direction, double step) {
    const Restore restore(subject_.places);
    auto move = [&](double by) {
      for (std::size_t i = 0; i < direction.size(); ++i)
        for (std::size_t e = 0; e < count_of(direction[i]); ++e)
          subject_.places[i].value->span<double>()[e] += by * direction[i].span<double>()[e];
    };
    move(step);
    const Tensor above = value();
    move(-2 * step);
    return difference(above, value()) / (2 * step);
  }

  const Subject& subject_;
  Random random_;
  Tape tape_{DType::f64};
  Tensor at_rest_, seed_;
  std::vector<std::vector<Tensor>> gradients_;  // by way and place
  double value_floor_ = 0;
  double rounding_ = 0;    // of a difference, before it is divided by its step
  double added_most_ = 0;  // the largest of what gradients were added to
};

std::vector<Tensor> in_f64(std::span<const Tensor> tensors) {
  std::vector<Tensor> result;
  for (const Tensor& t : tensors) result.push_back(t.to(DType::f64));
  return result;
}

}  // namespace

Var detail::donated_copy(Var x, SourceLocation location) {
  Tape& tape = x.tape(location);
  return tape.donate(tape.record(Copy{}, {x}, location), location);
}

GradientCheck check_gradient(const FunctionOfInputs& f, std::span<const Tensor> inputs,
                             GradientCheckOptions options, SourceLocation location) {
  std::vector<Tensor> values = in_f64(inputs);
  std::vector<Var> leaves;
  return Checker(subject(f, values, leaves, location), options).every_element();
}
GradientCheck check_gradient(const FunctionOfModel& f, std::span<const NamedParameter> parameters,
                             GradientCheckOptions options, SourceLocation location) {
  return Checker(subject(f, parameters, location), options).every_element();
}
GradientCheck check_projection(const FunctionOfInputs& f, std::span<const Tensor> inputs,
                               GradientCheckOptions options, SourceLocation location) {
  std::vector<Tensor> values = in_f64(inputs);
  std::vector<Var> leaves;
  return Checker(subject(f, values, leaves, location), options).projection();
}
GradientCheck check_projection(const FunctionOfModel& f, std::span<const NamedParameter> parameters,
                               GradientCheckOptions options, SourceLocation location) {
  return Checker(subject(f, parameters, location), options).projection();
}

}  // namespace unroll::autograd
