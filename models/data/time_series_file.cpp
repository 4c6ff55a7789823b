#include "models/data/time_series_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <vector>

#include "models/data/number.h"
#include "models/data/text.h"

namespace unroll::models {

namespace {

constexpr const char* kOp = "time series";

struct Header {
  Index dimensions = 0;  // 0: the first series says it
  Index length = 0;      // of all series; 0: each has its own
  bool labelled = false;
  std::vector<std::string> labels;  // those that may come
};

class Reader {
 public:
  explicit Reader(const std::string& path) : lines_(kOp, path) {}

  void read_header();
  void read_data(BadRows& bad, const std::function<void(const TimeSeries&)>& use);

 private:
  void read_tag(const std::string& tag, const std::vector<std::string>& values);
  bool truth(const std::vector<std::string>& values) const;
  Index extent(const std::vector<std::string>& values) const;
  TimeSeries series(std::string_view line);
  void expect_label(const std::string& label) const;

  Lines lines_;
  Header header_;
  bool equal_length_ = false, univariate_ = false;
};

bool Reader::truth(const std::vector<std::string>& values) const {
  const std::string value = values.empty() ? "" : lower_case(values[0]);
  if (value != "true" && value != "false")
    lines_.reject(in_quotes(lines_.bytes()), "true or false after the tag");
  return value == "true";
}

Index Reader::extent(const std::vector<std::string>& values) const {
  const auto number = values.size() == 1 ? whole_number(values[0]) : std::nullopt;
  if (!number || *number < 1)
    lines_.reject(in_quotes(lines_.bytes()), "a whole number of at least 1 after the tag");
  return *number;
}

void Reader::read_tag(const std::string& tag, const std::vector<std::string>& values) {
  if (tag == "@timestamps") {
    if (truth(values)) lines_.reject("a file with time stamps", "@timeStamps false");
  } else if (tag == "@missing") {
    truth(values);  // a missing value is found where it is
  } else if (tag == "@univariate") {
    univariate_ = truth(values);
  } else if (tag == "@dimensions" || tag == "@dimension") {
    header_.dimensions = extent(values);
  } else if (tag == "@equallength") {
    equal_length_ = truth(values);
  } else if (tag == "@serieslength") {
    header_.length = extent(values);
  } else if (tag == "@classlabel") {
    header_.labelled = truth(values);
    header_.labels.assign(values.begin() + 1, values.end());
    if (header_.labelled && header_.labels.empty())
      lines_.reject("@classLabel true without labels", "the labels that may come");
  } else if (tag != "@problemname") {
    lines_.reject(in_quotes(tag),
                  "one of @problemName, @timeStamps, @missing, @univariate, @dimensions, @equalLength, "
                  "@seriesLength, @classLabel, @data");
  }
}

void Reader::read_header() {
  while (lines_.next()) {
    const std::string_view line = lines_.text();
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words{std::string(line)};
    std::string tag, word;
    std::vector<std::string> values;
    words >> tag;
    while (words >> word) values.push_back(word);
    if (tag.empty() || tag[0] != '@')
      lines_.reject(in_quotes(line), "a tag such as @dimensions before @data");
    if (lower_case(tag) == "@data") {
      if (univariate_ && header_.dimensions > 1)
        lines_.reject(fmt::format("@univariate true with @dimensions {}", header_.dimensions), "1 dimension");
      if (univariate_) header_.dimensions = 1;
      if (!equal_length_) header_.length = 0;
      return;
    }
    read_tag(lower_case(tag), values);
  }
  lines_.reject_file("no @data came", "a .ts file, whose series follow @data");
}

void Reader::expect_label(const std::string& label) const {
  if (std::ranges::count(header_.labels, label) == 0)
    lines_.reject(fmt::format("the label {}", in_quotes(label)),
                  fmt::format("one of the {} labels of @classLabel", header_.labels.size()));
}

TimeSeries Reader::series(std::string_view line) {
  TimeSeries row{.place = lines_.place(), .label = "", .series = {}};
  if (header_.labelled) {
    const std::size_t colon = line.rfind(':');
    if (colon == std::string_view::npos)
      lines_.reject(in_quotes(line), "a ':' and a label after the numbers");
    row.label = line.substr(colon + 1);
    expect_label(row.label);
    line = line.substr(0, colon);
  }
  std::vector<std::vector<float>> dimensions;
  for (bool more = true; more;) {
    const std::size_t end = std::min(line.find(':'), line.size());
    std::string_view numbers = line.substr(0, end);
    more = end < line.size();
    line.remove_prefix(std::min(end + 1, line.size()));
    auto& dimension = dimensions.emplace_back();
    for (bool next = true; next;) {
      const std::size_t comma = std::min(numbers.find(','), numbers.size());
      const auto value = finite_number<float>(numbers.substr(0, comma));
      if (!value)
        lines_.reject(fmt::format("{} as value {} of dimension {}", in_quotes(numbers.substr(0, comma)),
                                  dimension.size() + 1, dimensions.size()),
                      "a finite number");
      dimension.push_back(*value);
      next = comma < numbers.size();
      numbers.remove_prefix(std::min(comma + 1, numbers.size()));
    }
    if (dimension.size() != dimensions[0].size())
      lines_.reject(fmt::format("{} values in dimension {}", dimension.size(), dimensions.size()),
                    fmt::format("{} as in dimension 1", dimensions[0].size()));
  }
  const auto count = static_cast<Index>(dimensions.size()), steps = static_cast<Index>(dimensions[0].size());
  if (header_.dimensions == 0) header_.dimensions = count;
  if (count != header_.dimensions)
    lines_.reject(fmt::format("{} dimensions", count), fmt::format("{}", header_.dimensions));
  if (equal_length_ && header_.length == 0) header_.length = steps;
  if (header_.length > 0 && steps != header_.length)
    lines_.reject(fmt::format("a series of {} steps", steps),
                  fmt::format("{} for each series", header_.length));
  row.series.columns = count;
  for (std::size_t t = 0; t < dimensions[0].size(); ++t)
    for (const auto& dimension : dimensions) row.series.values.push_back(dimension[t]);
  return row;
}

void Reader::read_data(BadRows& bad, const std::function<void(const TimeSeries&)>& use) {
  Index rows = 0;
  while (lines_.next()) {
    if (lines_.bytes().empty()) continue;
    ++rows;
    bad.guard([&] { use(series(lines_.text())); });
  }
  if (rows == 0) lines_.reject_file("no series came after @data", "one on each line");
}

}  // namespace

void read_time_series(const std::string& path, BadRows& bad,
                      const std::function<void(const TimeSeries&)>& use) {
  Reader reader(path);
  reader.read_header();
  reader.read_data(bad, use);
}

}  // namespace unroll::models
