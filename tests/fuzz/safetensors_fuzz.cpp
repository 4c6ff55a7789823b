// libFuzzer: any bytes are a safetensors file or an Error.
//
//   CXX=clang++ meson setup build-fuzz -Dfuzz=true && ninja -C build-fuzz tests/safetensors_fuzz
//   build-fuzz/tests/safetensors_fuzz -max_total_time=60
#include <cstdlib>
#include <span>

#include "nn/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    std::size_t bytes = 0;
    for (const auto& named : unroll::nn::parse_safetensors(std::as_bytes(std::span(data, size))).tensors)
      bytes += named.tensor.bytes();
    if (bytes > 2 * size) std::abort();  // f32 from 16 bits is twice as long, nothing more
  } catch (const unroll::Error&) {
  }
  return 0;
}
