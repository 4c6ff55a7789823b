// The header of a safetensors file, and the rules of the format.
//
// A header is a JSON object. It begins with '{' and may end in spaces, to a multiple of 8 bytes. It has one
// object for each tensor, {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, and at most one
// "__metadata__", from string to string. No key comes twice. Offsets count from the end of the header; sorted
// by offset, the first tensor begins at 0, each begins where the one before ended, and the last ends where
// the file does; end - begin is the product of the shape and the size of the dtype. A shape may be [] (one
// number) and may have extents of 0.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/system/error.h"

namespace unroll::nn {

struct HeaderEntry {
  std::string name, dtype;
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0, end = 0;
};

struct Header {
  static constexpr std::uint64_t kLongest = 100'000'000;

  std::vector<HeaderEntry> tensors;  // by offset
  std::map<std::string, std::string> metadata;
};

/// Parses the text and checks all rules, for `data_bytes` of numbers behind it. Every shape of the result has
/// at most four extents, each below 2^31, and every dtype is one that element_bytes() knows. `file` stands in
/// messages.
Header parse_header(std::string_view text, std::uint64_t data_bytes, std::string_view file,
                    SourceLocation location);
/// The text of a header, padded. The order of `tensors` is kept.
std::string format_header(const Header& header, std::string_view file, SourceLocation location);

/// 0 for a dtype that is not read here.
std::uint64_t element_bytes(std::string_view dtype);

}  // namespace unroll::nn
