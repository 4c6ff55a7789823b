// What came, as a message shows it: text of files and command lines may be long, and may hold line ends and
// what steers a terminal.
#pragma once
#include <string>
#include <string_view>

namespace unroll::autograd {

/// 'text', cut off after a whole UTF-8 character where it is longer than a reader wants to see.
std::string in_quotes(std::string_view text);
/// The same text, each control character (U+0000 to U+001F, U+007F to U+009F) become '?'.
std::string one_line(std::string_view text);

}  // namespace unroll::autograd
