#include "models/training/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

namespace unroll::models {

namespace {
constexpr double kTerminalSeconds = 0.1;  // faster is not read
}

std::string clock_time(double seconds) {
  const auto s = static_cast<Index>(std::llround(seconds));
  return s < 3600 ? fmt::format("{}:{:02}", s / 60, s % 60)
                  : fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

void tell(std::FILE* out, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), out);
  std::fflush(out);
}

Progress::Progress(Index total, const Settings& settings, Index before)
    : total_(total), before_(before), settings_(settings), start_(Clock::now()), shown_(start_) {
  if (settings_.style == Style::automatic)
    settings_.style = isatty(fileno(settings_.out)) ? Style::terminal : Style::log;
}

void Progress::update(const std::string& title, Index done, double loss, std::optional<double> accuracy) {
  if (settings_.style == Style::silent) return;
  const Clock::time_point now = Clock::now();
  const bool terminal = settings_.style == Style::terminal;
  if (seconds_between(shown_, now) < (terminal ? kTerminalSeconds : settings_.quiet_seconds)) return;
  shown_ = now;
  const double elapsed = std::max(seconds_between(start_, now), 1e-9);
  const double speed = static_cast<double>(done - before_) / elapsed;
  std::string line =
      fmt::format("{}  {:3.0f} %  loss {:.4f}", title,
                  100.0 * static_cast<double>(done) / static_cast<double>(std::max<Index>(total_, 1)), loss);
  if (accuracy) line += fmt::format("  accuracy {:.1f} %", 100 * *accuracy);
  line += fmt::format("  {} {}/s", with_commas(static_cast<Index>(speed)), settings_.unit);
  if (done > before_)
    line +=
        fmt::format("  {} left", clock_time(static_cast<double>(std::max<Index>(total_ - done, 0)) / speed));
  if (terminal) {
    tell(settings_.out, fmt::format("\r{:<{}}", line, width_));
    width_ = line.size();
  } else {
    tell(settings_.out, line + "\n");
  }
}

void Progress::note(const std::string& line) {
  if (settings_.style == Style::silent) return;
  erase();
  tell(settings_.out, line + "\n");
}

void Progress::erase() {
  if (width_ == 0) return;
  tell(settings_.out, fmt::format("\r{:{}}\r", "", width_));
  width_ = 0;
}

}  // namespace unroll::models
