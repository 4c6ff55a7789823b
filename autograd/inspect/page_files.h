// The files of autograd/inspect/page/, which meson puts into the library.
#pragma once
#include <array>
#include <string_view>

namespace unroll::inspect::detail {

extern const std::string_view kPageHtml, kPageCss;
extern const std::array<std::string_view, 8> kPageScripts;  // in the order in which they are read

}  // namespace unroll::inspect::detail
