// What a person who waits for a training run sees.
#pragma once
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "models/data/counted.h"

namespace unroll::models {

/// "epoch 2/8   61 %  loss 0.8421  accuracy 75.1 %  61,234 words/s  0:09 left". On a terminal one line that
/// is written over; elsewhere a line every `quiet_seconds`.
class Progress {
 public:
  enum class Style { automatic, terminal, log, silent };  // automatic: terminal if `out` is one, else log

  struct Settings {
    const char* unit = "words";
    double quiet_seconds = 10;
    Style style = Style::automatic;
    std::FILE* out = stderr;
  };

  /// `total` units are to be done in all, `before` of them are done already.
  Progress(Index total, const Settings& settings, Index before = 0);
  explicit Progress(Index total) : Progress(total, Settings{}) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// Leaves no half-written line behind.
  ~Progress() { erase(); }

  /// `title` says where we are; accuracy is a share of 1.
  void update(const std::string& title, Index done, double loss, std::optional<double> accuracy = {});
  /// A line that stays, above the one that moves.
  void note(const std::string& line);
  double seconds() const { return seconds_between(start_, Clock::now()); }

 private:
  using Clock = std::chrono::steady_clock;
  static double seconds_between(Clock::time_point from, Clock::time_point to) {
    return std::chrono::duration<double>(to - from).count();
  }
  void erase();

  Index total_, before_;
  Settings settings_;
  Clock::time_point start_, shown_;
  std::size_t width_ = 0;  // of the line on the terminal
};

/// Writes text at once. That nobody can read it, on a closed or full standard error, is no reason to stop.
void tell(std::FILE* out, std::string_view text);
/// "0:09", "12:30", "1:02:03"
std::string clock_time(double seconds);

}  // namespace unroll::models
