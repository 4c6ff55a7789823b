// Text files line by line, so that a file may be larger than memory, with every mistake named by its line.
#pragma once
#include <fstream>
#include <string>
#include <string_view>

#include "autograd/dtype.h"

namespace unroll::models {

using autograd::Index;

/// What to do about input that is not as it should be.
enum class Bad { refuse, skip };

class LineReader {
 public:
  /// Throws Error, naming the file and the reason, if it cannot be opened.
  explicit LineReader(std::string path, Bad bad = Bad::refuse);

  /// The next line, without its end; false at the end of the file. A line that is not UTF-8 throws Error
  /// "FILE:LINE: what came; needed ...", or is skipped and counted. Also throws for a failure of the system.
  bool next(std::string_view& line);
  /// Whether the line ended as lines do, or with the file.
  bool ended() const { return ended_; }
  /// Of the line, from 1.
  Index number() const { return number_; }
  /// "FILE:LINE"
  std::string place() const;
  Index skipped() const { return skipped_; }
  /// For a reader of lines that finds one bad: throws Error "PLACE: message", or counts it as skipped.
  void reject(const char* op, const std::string& message);

 private:
  std::string path_;
  Bad bad_;
  std::ifstream file_;
  std::string line_;
  Index number_ = 0, skipped_ = 0;
  bool ended_ = false;
};

}  // namespace unroll::models
