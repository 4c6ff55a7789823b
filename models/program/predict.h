// Programs that answer what they read.
#pragma once
#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "models/program/data_options.h"

namespace unroll::models {

/// What `predict` is told in every program: --model --data --threads --skip-bad --json.
struct Predicting {
  std::string model, data = "-";
  int threads = 1;
  BadRows bad;
  bool json = false;
};
/// `program` wrote the model; `what` is in the data.
void add_predicting(CLI::App& app, Predicting& predicting, const std::string& program,
                    const std::string& what);

/// Rows that wait for their answers: a file may be larger than memory, so that it is answered by the
/// thousand; who gives a row at a time gets an answer at a time.
template <class Row>
class Questions {
 public:
  static constexpr std::size_t kMost = 1024;
  /// Calls read(questions), which adds rows, and answer(rows, lines), for all of them, some at a time. Those
  /// before a bad row that ends the run are answered before it does.
  template <class Read, class Answer>
  static void answer(Read read, Answer answer) {
    Questions questions(answer);
    try {
      read(questions);
    } catch (const Error&) {
      questions.flush();
      throw;
    }
    questions.flush();
  }
  void add(const Place& place, Row row) {
    lines_.push_back(place.line);
    rows_.push_back(std::move(row));
    if (rows_.size() == kMost) flush();
  }
  void flush() {
    if (rows_.empty()) return;
    answer_(std::exchange(rows_, {}), std::exchange(lines_, {}));
    std::fflush(stdout);
  }

 private:
  using Answering = std::function<void(std::vector<Row> rows, const std::vector<Index>& lines)>;
  explicit Questions(Answering answer) : answer_(std::move(answer)) {}

  Answering answer_;
  std::vector<Row> rows_;
  std::vector<Index> lines_;
};
/// The same for a text, a row a line: row(lines) makes one.
template <class Row, class Answer>
void answer_lines(const char* op, Predicting& predicting, Row row, Answer answer) {
  Lines lines(op, predicting.data);
  Questions<decltype(row(lines))>::answer(
      [&](auto& questions) {
        while (lines.next()) {
          predicting.bad.guard([&] { questions.add(lines.place(), row(lines)); });
          if (lines.waits()) questions.flush();
        }
      },
      answer);
  note_skipped(predicting.bad);
}

}  // namespace unroll::models
