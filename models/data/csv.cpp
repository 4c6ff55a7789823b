#include "models/data/csv.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "models/data/number.h"

namespace unroll::models {

namespace {
constexpr const char* kOp = "csv";
}

Csv::Csv(const std::string& path) : lines_(kOp, path) {
  if (!next()) lines_.reject_file("an empty file came", "a header with the names of the columns");
  parse();
  header_ = std::exchange(fields_, {});
  if (header_.size() == 1 && header_[0] == lines_.bytes() &&
      header_[0].find_first_of(";\t") != header_[0].npos)
    lines_.reject(fmt::format("one column {}", in_quotes(header_[0])), "',' between columns");
  for (std::size_t i = 0; i < header_.size(); ++i) {
    if (header_[i].empty())
      lines_.reject(fmt::format("no name of column {}", i + 1), "a name for each column");
    if (std::ranges::count(header_, header_[i]) > 1)
      lines_.reject(fmt::format("the column {} twice", in_quotes(header_[i])), "each name once");
  }
}

std::size_t Csv::column(const std::string& name) const {
  const auto it = std::ranges::find(header_, name);
  if (it == header_.end())
    lines_.reject_file(fmt::format("no column {} came", in_quotes(name)),
                       fmt::format("one of {}", fmt::join(header_, ", ")));
  return static_cast<std::size_t>(it - header_.begin());
}

bool Csv::next() {
  while (lines_.next()) {
    lines_.mark();
    if (lines_.bytes().empty() && (header_.size() != 1 || is_last_line())) continue;
    place_ = lines_.place();
    return true;
  }
  return false;
}

bool Csv::is_last_line() {
  const bool last = !lines_.next();
  lines_.rewind();
  return last;
}

const std::vector<std::string>& Csv::record() {
  try {
    parse();
  } catch (const Error&) {
    lines_.rewind();  // a '"' out of place must not take the lines after it along
    throw;
  }
  if (fields_.size() != header_.size())
    reject(kOp, place_, fmt::format("{} fields", fields_.size()),
           fmt::format("{}, as many as the header has", header_.size()));
  return fields_;
}

void Csv::parse() {
  fields_.assign(1, "");
  bool quoted = false;  // inside of quotes
  bool closed = false;  // after the quote that ends a field
  for (;;) {
    for (const char c : lines_.text()) {
      std::string& field = fields_.back();
      if (closed && c == '"') {  // written twice
        field += c;
        closed = false;
        quoted = true;
      } else if (quoted) {
        if (c == '"')
          quoted = false, closed = true;
        else
          field += c;
      } else if (c == ',') {
        fields_.emplace_back();
        closed = false;
      } else if (closed) {
        lines_.reject(fmt::format("'{}' after a closing '\"'", c), "',' or the end of the line");
      } else if (c == '"') {
        if (!field.empty())
          lines_.reject(fmt::format("'\"' after {}", in_quotes(field)), "quotes around the whole field");
        quoted = true;
      } else {
        field += c;
      }
    }
    if (!quoted) return;
    fields_.back() += '\n';
    if (!lines_.next()) reject(kOp, place_, "a '\"' that is never closed", "one at the end of the field");
  }
}

NumberTable read_number_table(const std::string& path, const std::vector<std::string>& wanted, BadRows& bad) {
  Csv csv(path);
  NumberTable table{.columns = wanted.empty() ? csv.header() : wanted, .values = {}, .pieces = {0}};
  std::vector<std::size_t> positions;
  for (const std::string& name : table.columns) positions.push_back(csv.column(name));
  std::vector<double> row;
  Index rows = 0;
  while (csv.next()) {
    ++rows;
    const bool good = bad.guard([&] {
      const std::vector<std::string>& cells = csv.record();
      row.clear();
      for (std::size_t i = 0; i < positions.size(); ++i) {
        const std::string& cell = cells[positions[i]];
        const auto value = finite_number<double>(cell);
        if (!value)
          reject(kOp, csv.place(),
                 fmt::format("{} in the column {}", cell.empty() ? "an empty cell" : in_quotes(cell),
                             in_quotes(table.columns[i])),
                 wanted.empty() && positions.size() > 1
                     ? "a finite number, or --inputs with the columns to read"
                     : "a finite number");
        row.push_back(*value);
      }
    });
    if (good)
      table.values.insert(table.values.end(), row.begin(), row.end());
    else if (table.pieces.back() != table.rows())
      table.pieces.push_back(table.rows());
  }
  if (rows == 0) csv.reject_file("a header without rows came", "rows of numbers");
  if (table.pieces.size() > 1 && table.pieces.back() == table.rows()) table.pieces.pop_back();
  return table;
}

}  // namespace unroll::models
