#include "models/lines.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>

#include "models/text.h"

namespace unroll::models {

using autograd::fail;

void reject(std::string_view op, const Place& place, std::string_view came, std::string_view needed) {
  fail(op, fmt::format("{}:{}: {} came; needed {}", place.file, place.line, came, needed));
}

void check_utf8(std::string_view line, const Place& place) {
  const std::string mistake = utf8_mistake(line);
  if (!mistake.empty()) fail("utf-8", fmt::format("{}:{}: {}", place.file, place.line, mistake));
}

std::string shown(std::string_view text) {
  constexpr std::size_t kMost = 40;
  if (text.size() <= kMost) return fmt::format("'{}'", text);
  std::size_t end = kMost;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // whole characters
  return fmt::format("'{}...'", text.substr(0, end));
}

Lines::Lines(std::string op, std::string path) : op_(std::move(op)), path_(std::move(path)), in_(&std::cin) {
  if (path_ == "-") {
    path_ = "standard input";
    return;
  }
  std::error_code ignored;
  if (std::filesystem::is_directory(path_, ignored)) reject_file("a folder came", "a file");
  errno = 0;
  file_.open(path_, std::ios::binary);
  if (!file_) reject_file(std::strerror(errno), "a file that can be read");
  in_ = &file_;
}

bool Lines::next() {
  errno = 0;
  if (!std::getline(*in_, line_)) {
    if (in_->bad()) reject_file(std::strerror(errno), "a file that can be read");
    return false;
  }
  ++number_;
  if (!line_.empty() && line_.back() == '\r') line_.pop_back();
  if (number_ == 1 && line_.starts_with("\xEF\xBB\xBF")) line_.erase(0, 3);
  return true;
}

std::string_view Lines::text() const {
  check_utf8(line_, place());
  return line_;
}

void Lines::reject_file(std::string_view came, std::string_view needed) const {
  fail(op_, fmt::format("{}: {}; needed {}", path_, came, needed));
}

}  // namespace unroll::models
