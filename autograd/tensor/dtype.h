// The two scalar types of a tape, and the bridge from the run-time choice to templates.
#pragma once
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace unroll::autograd {

using Index = std::int64_t;

enum class DType : std::uint8_t { f32, f64 };

constexpr std::size_t size_of(DType dtype) { return dtype == DType::f32 ? sizeof(float) : sizeof(double); }
constexpr const char* name_of(DType dtype) { return dtype == DType::f32 ? "f32" : "f64"; }

template <class T>
inline constexpr DType dtype_of = std::is_same_v<std::remove_const_t<T>, float> ? DType::f32 : DType::f64;

/// Calls f.template operator()<T>() with the C++ type of `dtype`.
template <class F>
decltype(auto) dispatch(DType dtype, F&& f) {
  return dtype == DType::f32 ? f.template operator()<float>() : f.template operator()<double>();
}

}  // namespace unroll::autograd

namespace unroll {
using autograd::DType;
using autograd::Index;
inline constexpr DType f32 = DType::f32;
inline constexpr DType f64 = DType::f64;
}  // namespace unroll
