#include "models/line_reader.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "autograd/error.h"
#include "models/text.h"

namespace unroll::models {

using autograd::fail;

LineReader::LineReader(std::string path, Bad bad) : path_(std::move(path)), bad_(bad) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path_, ignored))
    fail("read", fmt::format("{} is a folder; needed a file", path_));
  file_.open(path_, std::ios::binary);
  if (!file_) fail("read", fmt::format("{} cannot be opened: {}", path_, std::strerror(errno)));
}

bool LineReader::next(std::string_view& line) {
  while (std::getline(file_, line_)) {
    ++number_;
    ended_ = !file_.eof();
    if (const std::string mistake = utf8_mistake(line_); !mistake.empty()) {
      reject("utf-8", mistake);
      continue;
    }
    line = line_;
    return true;
  }
  if (file_.bad()) fail("read", fmt::format("{} cannot be read: {}", path_, std::strerror(errno)));
  return false;
}

std::string LineReader::place() const { return fmt::format("{}:{}", path_, number_); }

void LineReader::reject(const char* op, const std::string& message) {
  if (bad_ == Bad::refuse) fail(op, fmt::format("{}: {}", place(), message));
  ++skipped_;
}

}  // namespace unroll::models
