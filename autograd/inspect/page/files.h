// The files of autograd/inspect/page/, which meson puts into the library.
#pragma once
#include <span>
#include <string_view>

namespace unroll::inspect::detail {

extern const std::string_view kPageHtml, kPageCss;
extern const std::span<const std::string_view> kPageScripts;  // in the order in which they are read

}  // namespace unroll::inspect::detail
