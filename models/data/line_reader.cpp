#include "models/data/line_reader.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>

#include "models/data/text.h"

namespace unroll::models {

using autograd::fail;

void reject(std::string_view op, const Place& place, std::string_view came, std::string_view needed) {
  fail(op, fmt::format("{}:{}: {} came; needed {}", place.file, place.line, came, needed));
}

void check_utf8(std::string_view line, const Place& place) {
  const std::string mistake = utf8_mistake(line);
  if (!mistake.empty()) fail("utf-8", fmt::format("{}:{}: {}", place.file, place.line, mistake));
}

std::string name_of_input(const std::string& path) { return path == "-" ? "standard input" : path; }

Lines::Lines(std::string op, std::string path)
    : op_(std::move(op)), path_(name_of_input(path)), in_(&std::cin) {
  if (path == "-") return;
  std::error_code ignored;
  if (std::filesystem::is_directory(path_, ignored)) reject_file("a folder came", "a file");
  errno = 0;
  file_.open(path_, std::ios::binary);
  if (!file_) reject_file(std::strerror(errno), "a file that can be read");
  in_ = &file_;
}

bool Lines::next() {
  if (again_ < after_mark_.size()) {
    line_ = after_mark_[again_++];
  } else {
    if (!read()) return false;
    if (marked_) {
      after_mark_.push_back(line_);
      ++again_;
    }
  }
  ++number_;
  return true;
}

bool Lines::read() {
  errno = 0;
  std::string& text = line_.text;
  if (!std::getline(*in_, text)) {
    if (in_->bad()) reject_file(std::strerror(errno), "a file that can be read");
    return false;
  }
  line_.ended = !in_->eof();
  if (!text.empty() && text.back() == '\r') text.pop_back();
  if (number_ == 0 && text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  return true;
}

void Lines::mark() {
  after_mark_.erase(after_mark_.begin(), after_mark_.begin() + static_cast<std::ptrdiff_t>(again_));
  again_ = 0;
  marked_ = line_;
}

void Lines::rewind() {
  number_ -= static_cast<Index>(again_);
  again_ = 0;
  line_ = *marked_;
}

std::string_view Lines::text() const {
  check_utf8(line_.text, place());
  return line_.text;
}

void Lines::reject_file(std::string_view came, std::string_view needed) const {
  fail(op_, fmt::format("{}: {}; needed {}", path_, came, needed));
}

}  // namespace unroll::models
