#include "autograd/gradient_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

namespace unroll::autograd {

namespace {

constexpr double kStep = 1e-5, kLongStep = 1e-3, kAgreement = 1e-8;
constexpr double kGradientFloor = 1e-3, kValueFloor = 1e-6;

// Something whose elements are moved: an input or a parameter.
struct Place {
  std::string name;
  Tensor* value;
};

// A function of places, whichever of the two forms it came in.
struct Subject {
  std::vector<Place> places;
  std::function<Var(Tape&)> run;
  std::function<Tensor(Tape&, const Gradients&, std::size_t place)> gradient;
  SourceLocation location;
};

Subject subject(const FunctionOfInputs& f, std::vector<Tensor>& inputs, std::vector<Var>& vars,
                SourceLocation location) {
  Subject s;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    s.places.push_back({fmt::format("input {}", i), &inputs[i]});
  s.run = [&f, &inputs, &vars](Tape& tape) {
    vars.clear();
    for (const Tensor& x : inputs) vars.push_back(tape.variable(x));
    return f(tape, vars);
  };
  s.gradient = [&vars](Tape& tape, const Gradients&, std::size_t i) { return tape.gradient(vars[i]); };
  s.location = location;
  return s;
}

Subject subject(const FunctionOfModel& f, std::span<const NamedParameter> parameters,
                SourceLocation location) {
  Subject s;
  std::vector<const Parameter*> trainable;
  for (const auto& [path, p] : parameters) {
    if (std::as_const(*p).value().dtype() != DType::f64)
      fail("gradient check",
           fmt::format("'{}' of f32 came; needed f64: call convert(model, f64) first", path), location);
    if (!p->trainable()) continue;
    s.places.push_back({fmt::format("'{}'", path), &p->value()});
    trainable.push_back(p);
  }
  s.run = f;
  s.gradient = [trainable](Tape&, const Gradients& gradients, std::size_t i) {
    const bool reached = gradients.find(*trainable[i]) != nullptr;
    return reached ? gradients.dense(*trainable[i]) : Tensor(trainable[i]->shape(), DType::f64);
  };
  s.location = location;
  return s;
}

// Puts the numbers back however the scope is left.
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
    const Var output = subject_.run(tape_);
    const Tensor at_rest = output.tensor(subject_.location);
    seed_ = Tensor(at_rest.shape(), DType::f64);
    for (double& s : seed_.span<double>()) s = random_();
    value_floor_ = kValueFloor * largest(at_rest);
    Gradients gradients;
    tape_.backward(output, seed_, gradients, subject_.location);
    for (std::size_t i = 0; i < subject_.places.size(); ++i)
      gradients_.push_back(subject_.gradient(tape_, gradients, i));
    at_rest_ = at_rest;
  }

  GradientCheck every_element() {
    expect_same_value();
    double most = 0;
    for (const Tensor& g : gradients_) most = std::max(most, largest(g));
    const double floor = std::max(kGradientFloor * most, value_floor_);
    GradientCheck worst;
    const Restore restore(subject_.places);
    for (std::size_t i = 0; i < subject_.places.size(); ++i)
      for (std::size_t e = 0; e < gradients_[i].span<double>().size(); ++e) {
        const double analytic = gradients_[i].span<double>()[e];
        auto [error, numeric] = element(subject_.places[i].value->span<double>()[e], analytic, floor);
        if (error <= worst.error && !worst.where.empty()) continue;
        worst = {
            error,
            fmt::format("{}, element {} of {}", subject_.places[i].name, e, to_string(gradients_[i].shape())),
            analytic, numeric};
      }
    return worst;
  }

  GradientCheck projection() {
    std::vector<Tensor> direction;
    double analytic = 0, norm = 0;
    std::size_t count = 0;
    for (const Tensor& g : gradients_) count += g.span<double>().size();
    // Between a direction of length 1 (differences drown in rounding) and one of length sqrt(count) (the
    // function is not straight so far out).
    const double scale = 1 / std::sqrt(std::sqrt(static_cast<double>(std::max<std::size_t>(count, 1))));
    for (const Tensor& g : gradients_) {
      Tensor& d = direction.emplace_back(g.shape(), DType::f64);
      for (std::size_t e = 0; e < count_of(g); ++e) {
        const double slope = g.span<double>()[e];
        d.span<double>()[e] = scale * random_();
        analytic += slope * d.span<double>()[e];
        norm += slope * slope;
      }
    }
    const double floor = std::max(kGradientFloor * scale * std::sqrt(norm), value_floor_);
    const double numeric = along(direction);
    return {relative(analytic, numeric, floor), "projection", analytic, numeric};
  }

 private:
  static std::size_t count_of(const Tensor& t) { return t.span<double>().size(); }

  static double relative(double analytic, double numeric, double floor) {
    const double difference = std::abs(analytic - numeric);
    if (difference == 0) return 0;
    if (!std::isfinite(difference)) return std::numeric_limits<double>::infinity();
    return difference / std::max({std::abs(analytic), std::abs(numeric), floor});
  }

  Tensor value() {
    tape_.clear();
    Tensor result = subject_.run(tape_).tensor(subject_.location);
    if (result.shape() != at_rest_.shape())
      fail("gradient check",
           fmt::format("outputs of shapes {} and {} came; needed one shape for all inputs",
                       to_string(at_rest_.shape()), to_string(result.shape())),
           subject_.location);
    return result;
  }

  void expect_same_value() {
    if (std::memcmp(value().raw(), at_rest_.raw(), at_rest_.bytes()) != 0)
      fail("gradient check",
           "two values came at one point; needed a function that gives the same numbers each time: make its "
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

  // (f(x + h) - f(x - h)) / 2 h, with the h that the numbers really moved by.
  double slope(double& x, double step) {
    const double before = x, above = before + step, below = before - step;
    x = above;
    const Tensor value_above = value();
    x = below;
    const Tensor value_below = value();
    x = before;
    return difference(value_above, value_below) / (above - below);
  }

  struct Estimate {
    double error, numeric;
  };
  Estimate element(double& x, double analytic, double floor) {
    const double size = std::max(1.0, std::abs(x)), numeric = slope(x, kStep * size);
    const double error = relative(analytic, numeric, floor);
    if (error <= kAgreement) return {error, numeric};
    const double h = kLongStep * size, fourth_order = (4 * slope(x, h) - slope(x, 2 * h)) / 3;
    const double other = relative(analytic, fourth_order, floor);
    return other < error ? Estimate{other, fourth_order} : Estimate{error, numeric};
  }

  double along(const std::vector<Tensor>& direction) {
    const Restore restore(subject_.places);
    auto move = [&](double step) {
      for (std::size_t i = 0; i < direction.size(); ++i)
        for (std::size_t e = 0; e < count_of(direction[i]); ++e)
          subject_.places[i].value->span<double>()[e] += step * direction[i].span<double>()[e];
    };
    move(kStep);
    const Tensor above = value();
    move(-2 * kStep);
    return difference(above, value()) / (2 * kStep);
  }

  const Subject& subject_;
  Random random_;
  Tape tape_{DType::f64};
  Tensor at_rest_, seed_;
  std::vector<Tensor> gradients_;  // by place
  double value_floor_ = 0;
};

std::vector<Tensor> in_f64(std::span<const Tensor> tensors) {
  std::vector<Tensor> result;
  for (const Tensor& t : tensors) result.push_back(t.to(DType::f64));
  return result;
}

}  // namespace

GradientCheck check_gradient(const FunctionOfInputs& f, std::span<const Tensor> inputs,
                             GradientCheckOptions options, SourceLocation location) {
  std::vector<Tensor> numbers = in_f64(inputs);
  std::vector<Var> vars;
  return Checker(subject(f, numbers, vars, location), options).every_element();
}
GradientCheck check_gradient(const FunctionOfModel& f, std::span<const NamedParameter> parameters,
                             GradientCheckOptions options, SourceLocation location) {
  return Checker(subject(f, parameters, location), options).every_element();
}
GradientCheck check_projection(const FunctionOfInputs& f, std::span<const Tensor> inputs,
                               GradientCheckOptions options, SourceLocation location) {
  std::vector<Tensor> numbers = in_f64(inputs);
  std::vector<Var> vars;
  return Checker(subject(f, numbers, vars, location), options).projection();
}
GradientCheck check_projection(const FunctionOfModel& f, std::span<const NamedParameter> parameters,
                               GradientCheckOptions options, SourceLocation location) {
  return Checker(subject(f, parameters, location), options).projection();
}

}  // namespace unroll::autograd
