#include "models/tasks/memory/generated.h"

#include <functional>
#include <numeric>

#include "nn/initialise.h"

namespace unroll::models {

Adding::Batch Adding::draw(std::span<Generator> each) const {
  const auto count = static_cast<Index>(each.size());
  Batch batch{
      Layout::uniform(count, length), std::vector<float>(static_cast<std::size_t>(2 * length * count)), {}};
  for (Index b = 0; b < count; ++b) {
    Generator& g = each[static_cast<std::size_t>(b)];
    auto at = [&](Index t, Index column) -> float& {
      return batch.inputs[static_cast<std::size_t>(2 * (t * count + b) + column)];
    };
    for (Index t = 0; t < length; ++t) at(t, 0) = static_cast<float>(g.uniform());
    const Index half = length / 2;
    const auto first = static_cast<Index>(g.below(static_cast<std::uint64_t>(half)));
    const auto second = half + static_cast<Index>(g.below(static_cast<std::uint64_t>(length - half)));
    at(first, 1) = at(second, 1) = 1;
    batch.targets.push_back(at(first, 0) + at(second, 0));
  }
  return batch;
}

Answered Adding::operator()(Tape& tape, const Batch& batch, Generator* noise) const {
  const Var inputs = tape.constant({batch.layout.rows(), 2}, batch.inputs);
  const Var answers = output(net({inputs, &batch.layout}, last, noise));
  return {ops::mean_squared_error(answers, tape.constant({batch.layout.batch(), 1}, batch.targets))};
}

CopyMemory::CopyMemory(Index steps, const NetOptions& options, Generator& generator)
    : length(steps),
      symbols(kKinds + 2, kKinds + 2, generator),
      net(kKinds + 2, options, generator),
      output(net.width(), kKinds + 2, generator) {
  initialise::identity(symbols.weight);
  symbols.weight.freeze();
}

CopyMemory::Batch CopyMemory::draw(std::span<Generator> each) const {
  const auto count = static_cast<Index>(each.size());
  const Index steps = length + 2 * kSymbols;
  const auto size = static_cast<std::size_t>(steps * count);
  Batch batch{Layout::uniform(count, steps), std::vector<int>(size), std::vector<int>(size)};
  constexpr int kSign = kKinds + 1;  // 0 is the blank, 1 to 8 are the symbols
  for (Index b = 0; b < count; ++b) {
    auto at = [&](Index t) { return static_cast<std::size_t>(t * count + b); };
    for (Index i = 0; i < kSymbols; ++i) {
      const int symbol = 1 + static_cast<int>(each[static_cast<std::size_t>(b)].below(kKinds));
      batch.inputs[at(i)] = symbol;
      batch.targets[at(steps - kSymbols + i)] = symbol;
    }
    // The sign comes a step before the answer, and stays.
    for (Index t = steps - kSymbols - 1; t < steps; ++t) batch.inputs[at(t)] = kSign;
  }
  return batch;
}

Answered CopyMemory::operator()(Tape& tape, const Batch& batch, Generator* noise) const {
  const Var rows = net({symbols(tape, batch.inputs), &batch.layout}, noise).rows;
  const Var logits = output(rows);
  const Index answers = kSymbols * batch.layout.batch();  // of the last steps
  const std::vector<int> said = autograd::dispatch(logits.dtype(), [&]<class T>() {
    const View<const T> all = logits.view<T>();
    return ops::argmax_rows(
        View<const T>{all.row(all.rows() - answers), Shape{answers, all.cols()}, all.stride});
  });
  const Index correct = std::inner_product(said.begin(), said.end(), batch.targets.end() - answers, Index{0},
                                           std::plus<>(), std::equal_to<>());
  return {ops::cross_entropy(logits, batch.targets), correct, answers};
}

}  // namespace unroll::models
