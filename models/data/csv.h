// Comma-separated values with a header (RFC 4180), and the numbers in them.
#pragma once
#include <string>
#include <vector>

#include "models/data/line_reader.h"

namespace unroll::models {

/// Reads one record after the other. A field between '"' may hold commas, line ends, and '"' written twice.
class Csv {
 public:
  /// Reads the header. Throws Error for an empty file, a column without a name, and a name that comes twice.
  explicit Csv(const std::string& path);

  const std::vector<std::string>& header() const { return header_; }
  /// Position of a column; throws Error that lists all columns if there is none of that name.
  std::size_t column(const std::string& name) const;
  /// Goes to the next record; false at the end. Empty lines are passed over, but where there is one column,
  /// in which they are an empty field; there only one at the end of the file.
  bool next();
  /// Its fields. Throws Error for text that is not UTF-8, for a '"' that is out of place or never closed,
  /// after which next() goes on with the next line, and for more or fewer fields than the header has.
  const std::vector<std::string>& record();
  /// Where it begins.
  const Place& place() const { return place_; }
  [[noreturn]] void reject_file(std::string_view came, std::string_view needed) const {
    lines_.reject_file(came, needed);
  }

 private:
  void parse();
  bool is_last_line();

  Lines lines_;
  std::vector<std::string> header_, fields_;
  Place place_;
};

/// Numbers in named columns. Where rows were left out as bad, time does not go on: a piece ends there.
struct NumberTable {
  std::vector<std::string> columns;
  std::vector<double> values;  // row by row
  std::vector<Index> pieces;   // the rows at which pieces begin, the first is 0

  Index rows() const { return static_cast<Index>(values.size() / columns.size()); }
  double at(Index row, std::size_t column) const {
    return values[static_cast<std::size_t>(row) * columns.size() + column];
  }
};
/// The wanted columns of a file, in the order wanted; all of them if none is named. Throws Error for a column
/// that is missing, for a cell that is empty, NaN, infinite or no number, and for a file without rows.
NumberTable read_number_table(const std::string& path, const std::vector<std::string>& wanted, BadRows& bad);

}  // namespace unroll::models
