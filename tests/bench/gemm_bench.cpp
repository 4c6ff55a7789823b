// Products with a packed matrix against OpenBLAS: gemm_bench [f64] [M N K]
//
// For each shape a line of GF/s: OpenBLAS; packed beforehand; packed and used once; the matrix as it stands
// ("direct"); the same against the transposed matrix, as backward does. All in turn, the best of many rounds.
#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string_view>
#include <vector>

#include "autograd/tensor/tensor.h"
#include "ops/gemm/packed_gemm.h"

using namespace unroll;
using namespace unroll::ops;

namespace {

constexpr int kRounds = 9;

double seconds(const std::function<void()>& f, int repeat) {
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < repeat; ++i) f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() / repeat;
}

// The best time of each, all run in turn, after a call that brings its matrix as near as it stays.
std::vector<double> in_turn(const std::vector<std::function<void()>>& all, int repeat) {
  std::vector<double> best(all.size(), 1e9);
  for (int round = 0; round < kRounds; ++round)
    for (std::size_t i = 0; i < all.size(); ++i) {
      all[i]();
      best[i] = std::min(best[i], seconds(all[i], repeat));
    }
  return best;
}

template <class T>
void measure(Index m, Index n, Index k) {
  const DType dtype = autograd::dtype_of<T>;
  Tensor a({m, k}, dtype), w({k, n}, dtype), wt({n, k}, dtype), c({m, n}, dtype);
  Tensor p({packed_size<T>(k, n)}, dtype), q({packed_size<T>(k, n)}, dtype);
  for (Tensor* t : {&a, &w, &wt})
    for (Index i = 0; i < t->size(); ++i) t->set(i, std::sin(0.7 * static_cast<double>(i)));
  const View<const T> av = a.view<T>(), wv = w.view<T>(), wtv = wt.view<T>();
  const View<T> cv = c.view<T>();
  T* memory = q.span<T>().data();
  const Packed<T> packed = pack(Transpose::no, wv, p.span<T>().data());
  auto use = [&](const Packed<T>& x) { multiply<T>(av, x, cv, cv); };
  std::vector<std::function<void()>> all{
      [&] { gemm(Transpose::no, Transpose::no, av, wv, T(1), cv); },
      [&] { use(packed); },
      [&] { use(pack(Transpose::no, wv, memory)); },
      [&] { gemm(Transpose::no, Transpose::yes, av, wtv, T(1), cv); },
      [&] { use(pack(Transpose::yes, wtv, memory)); },
  };
  if (n % direct_columns<T>() == 0) all.push_back([&] { multiply<T>(av, wv, cv, cv); });
  const double flop = 2.0 * static_cast<double>(m * n * k);
  const auto best = in_turn(all, std::max(4, static_cast<int>(2e7 / flop)));
  fmt::print("{:5} {:5} {:5}  {:8.1f} {:8.1f} {:8.1f} {:8.1f} {:8.1f} {:8.1f}\n", m, n, k,
             flop / best[0] / 1e9, flop / best[1] / 1e9, flop / best[2] / 1e9,
             best.size() > 5 ? flop / best[5] / 1e9 : 0.0, flop / best[3] / 1e9, flop / best[4] / 1e9);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const bool f64 = argc > 1 && std::string_view(argv[1]) == "f64";
  fmt::print("{:>5} {:>5} {:>5}  {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}   GF/s, {}\n", "M", "N", "K", "BLAS",
             "packed", "+pack", "direct", "BLAS'", "+pack'", f64 ? "f64" : "f32");
  if (argc > 3) {
    const Index m = std::atoi(argv[argc - 3]), n = std::atoi(argv[argc - 2]), k = std::atoi(argv[argc - 1]);
    f64 ? measure<double>(m, n, k) : measure<float>(m, n, k);
    return 0;
  }
  const Index sizes[][2] = {{128, 32},  {256, 64},   {512, 128}, {1024, 256}, {2048, 512}, {4096, 1024},
                            {800, 200}, {2600, 650}, {32, 128},  {128, 512},  {256, 1024}, {1024, 4096}};
  for (const auto& [n, k] : sizes)
    for (Index m : {1, 8, 32, 64, 128, 256, 1024}) {
      if (m * n * k > Index{1} << 29) continue;
      f64 ? measure<double>(m, n, k) : measure<float>(m, n, k);
    }
}
