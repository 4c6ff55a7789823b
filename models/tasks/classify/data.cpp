#include "models/tasks/classify/data.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <unordered_set>

namespace unroll::models {

namespace {

constexpr const char* kOp = "classify";

// What one row gives, before labels and tokens have their final numbers.
struct Row {
  std::vector<int> tokens;
  Series series;
  std::vector<std::string> labels;
  Place place;
};

// Reads rows of any form of file.
class RowReader {
 public:
  RowReader(const LabelledFormat& format, const TextForm& text, std::optional<bool> series = {})
      : format_(format), text_(text), series_(series) {}

  template <class Use>
  void read(const std::string& path, BadRows& bad, Use use) {
    if (const bool series = is_time_series(path); series_.value_or(series) != series)
      autograd::fail(kOp, fmt::format("{} came; needed a file of {}, as in training", path,
                                      *series_ ? "time series (.ts)" : "texts"));
    else
      series_ = series;
    if (*series_)
      read_time_series(path, bad, use);
    else
      read_labelled_text(path, format_, bad, [&](const LabelledText& row) {
        use(Row{tokens_.numbers(tokens_of(row.text, text_)), {}, row.labels, row.place}, row.text);
      });
  }
  NumberedTokens& tokens() { return tokens_; }

 private:
  template <class Use>
  void read_time_series(const std::string& path, BadRows& bad, Use use) {
    models::read_time_series(path, bad, [&](const TimeSeries& row) {
      if (columns_ == 0) columns_ = row.series.columns;
      if (row.series.columns != columns_)
        reject(kOp, row.place, fmt::format("a series of {} dimensions", row.series.columns),
               fmt::format("{} as in training", columns_));
      std::vector<std::string> labels;
      if (!row.label.empty()) labels.push_back(row.label);
      use(Row{{}, row.series, std::move(labels), row.place}, "");
    });
  }

  LabelledFormat format_;
  TextForm text_;
  NumberedTokens tokens_;
  std::optional<bool> series_;  // of what form the first file was
  Index columns_ = 0;
};

void append(LabelledSequences& data, Row row, std::vector<int> labels) {
  std::ranges::sort(labels);
  if (row.series.columns > 0)
    data.series.push_back(std::move(row.series));
  else
    data.texts.push_back(std::move(row.tokens));
  data.labels.push_back(std::move(labels));
}

void translate(LabelledSequences& data, const std::vector<int>& ids) {
  for (auto& text : data.texts)
    for (int& id : text) id = ids[static_cast<std::size_t>(id)];
}

class Builder {
 public:
  Builder(const ClassifierDataOptions& options, BadRows& bad)
      : options_(options), bad_(bad), reader_(options.format, options.text) {}

  ClassifierData build() {
    const auto read = [&](const std::string& path, auto use) {
      reader_.read(path, bad_, [&](Row row, const std::string& text) {
        if (!is_duplicate(row, text)) use(std::move(row));
      });
    };
    read_parts<Row>(options_.files, bad_, "row", kOp, read,
                    [&](Row row, std::size_t part) { take(std::move(row), part); });
    data_.labels.expect(options_.format.many_labels ? 1 : 2, "labels", kOp);
    if (data_.parts[0].series.empty())
      make_vocabulary();
    else
      make_scaling();
    return std::move(data_);
  }

 private:
  bool is_duplicate(const Row& row, const std::string& text) {
    if (!options_.unique || row.series.columns > 0) return false;
    std::string key;
    for (const std::string& label : row.labels) key += label + '|';
    const bool is_new = seen_.insert(key + '\t' + text).second;
    data_.duplicates += !is_new;
    return !is_new;
  }
  void take(Row row, std::size_t part) {
    if (row.labels.empty() && !options_.format.many_labels)
      reject(kOp, row.place, "a row without a label", "one");
    std::vector<int> labels;
    for (const std::string& label : row.labels)
      labels.push_back(part == 0 ? data_.labels.add(label) : data_.labels.id(label, row.place));
    append(data_.parts[part], std::move(row), std::move(labels));
  }
  void make_vocabulary() {
    NumberedTokens& tokens = reader_.tokens();
    for (const auto& text : data_.parts[0].texts) tokens.count(text);
    data_.vocabulary = tokens.vocabulary(kUnknownToken, options_.limits);
    const std::vector<int> ids = tokens.ids_in(data_.vocabulary);
    for (LabelledSequences& part : data_.parts) translate(part, ids);
  }
  void make_scaling() {
    const std::vector<Series>& all = data_.parts[0].series;
    const auto width = static_cast<std::size_t>(all[0].columns);
    ScalingSums sums(width);
    for (const Series& series : all)
      for (std::size_t row = 0; row < series.values.size(); row += width)
        sums.add(std::span<const float>(series.values).subspan(row, width));
    data_.scaling = sums.scaling();
  }

  const ClassifierDataOptions& options_;
  BadRows& bad_;
  RowReader reader_;
  std::unordered_set<std::string> seen_;
  ClassifierData data_;
};

}  // namespace

ClassifierData read_classifier_data(const ClassifierDataOptions& options, BadRows& bad) {
  return Builder(options, bad).build();
}

LabelledSequences read_labelled_sequences(const SavedClassifier& classifier, const std::string& path,
                                          const LabelledFormat& format, BadRows& bad) {
  RowReader reader(format, classifier.text, !classifier.reads_text());
  LabelledSequences data;
  reader.read(path, bad, [&](Row row, const std::string&) {
    const auto columns = static_cast<Index>(classifier.scaling.columns());
    if (!classifier.reads_text() && row.series.columns != columns)
      reject(kOp, row.place, fmt::format("a series of {} dimensions", row.series.columns),
             fmt::format("{} as in training", columns));
    if (row.labels.empty() && !format.many_labels) reject(kOp, row.place, "a row without a label", "one");
    std::vector<int> labels;
    for (const std::string& label : row.labels) labels.push_back(classifier.labels.id(label, row.place));
    append(data, std::move(row), std::move(labels));
  });
  translate(data, reader.tokens().ids_in(classifier.vocabulary));
  if (data.size() == 0) autograd::fail(kOp, fmt::format("{} has no good row; needed some", path));
  return data;
}

}  // namespace unroll::models
