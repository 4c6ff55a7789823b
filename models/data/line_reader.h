// A file read one line at a time, so that it may be larger than memory, and what is said about a bad line.
#pragma once
#include <deque>
#include <fstream>
#include <istream>
#include <optional>
#include <string>
#include <string_view>

#include "autograd/system/error.h"
#include "autograd/system/message.h"
#include "autograd/tensor/dtype.h"

namespace unroll::models {

using autograd::Index;

/// A line of a file: "poem.txt:12".
struct Place {
  std::string file;
  Index line = 0;
};
/// Throws Error "[op] poem.txt:12: CAME came; needed NEEDED".
[[noreturn]] void reject(std::string_view op, const Place& place, std::string_view came,
                         std::string_view needed);
/// Throws Error "[utf-8] poem.txt:12: byte 0xFF came at column 7; needed ..." unless the line is UTF-8.
void check_utf8(std::string_view line, const Place& place);
using autograd::in_quotes;

/// What messages call an input: a file's path; "-" is standard input.
std::string name_of_input(const std::string& path);

/// Lines end with LF or CR LF; a byte order mark before the first one is taken off.
class Lines {
 public:
  /// "-" is standard input. `op` begins the messages. Throws Error if the file cannot be opened.
  Lines(std::string op, std::string path);

  /// False at the end. Throws Error if the file cannot be read.
  bool next();
  /// Whether next() would wait for more input, as far as that is known.
  bool waits() const { return again_ == after_mark_.size() && in_->rdbuf()->in_avail() <= 0; }
  /// rewind() goes back to this line: those after it are kept until the next mark().
  void mark();
  void rewind();
  /// The line as it is; valid until next().
  std::string_view bytes() const { return line_.text; }
  /// The same; throws Error unless it is UTF-8.
  std::string_view text() const;
  /// Whether the line has an end of its own; the last one may end with the file.
  bool ended() const { return line_.ended; }
  Place place() const { return {path_, number_}; }
  [[noreturn]] void reject(std::string_view came, std::string_view needed) const {
    models::reject(op_, place(), came, needed);
  }
  /// Throws Error "[op] poem.txt: CAME; needed NEEDED" about the whole file.
  [[noreturn]] void reject_file(std::string_view came, std::string_view needed) const;

 private:
  struct Line {
    std::string text;
    bool ended = false;
  };
  bool read();

  std::string op_, path_;
  std::ifstream file_;
  std::istream* in_;
  Line line_;
  Index number_ = 0;
  std::optional<Line> marked_;
  std::deque<Line> after_mark_;
  std::size_t again_ = 0;  // how many of them have come (again)
};

/// What becomes of a row that is not as it should be: it ends the run, or it is left out and counted.
class BadRows {
 public:
  enum class Policy { refuse, skip };
  BadRows() = default;
  explicit BadRows(Policy policy) : policy_(policy) {}

  /// Calls read_row(). Returns false, and counts, if it threw Error and such rows are to be skipped.
  template <class F>
  bool guard(F&& read_row) {
    try {
      read_row();
      return true;
    } catch (const Error& e) {
      if (policy_ == Policy::refuse) throw;
      if (count_++ == 0) first_ = e.what();
      return false;
    }
  }
  Index skipped() const { return count_; }
  /// What was wrong with the first of them.
  const std::string& first() const { return first_; }

 private:
  Policy policy_ = Policy::refuse;
  Index count_ = 0;
  std::string first_;
};

}  // namespace unroll::models
