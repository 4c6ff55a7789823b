// Files of labelled time series, one series a line: the .ts format of the UEA and UCR archive.
//
//   @problemName JapaneseVowels
//   @timeStamps false
//   @univariate false
//   @dimensions 2
//   @equalLength false
//   @classLabel true a b
//   @data
//   0.1,0.2,0.3:1,2,3:a
//
// Dimensions stand between ':', the label comes last.
#pragma once
#include <functional>
#include <string>

#include "models/data/line_reader.h"
#include "models/data/time_series.h"

namespace unroll::models {

struct TimeSeries {
  Place place;
  std::string label;  // empty if the file has none
  Series series;
};

/// Calls use(row) for each series, in the order of the file; what it throws counts as a mistake in the row.
/// Throws Error for a header that is not as above or says something else than the series, for time stamps
/// and missing values ('?', NaN), for dimensions of unequal length, and for a file without series.
void read_time_series(const std::string& path, BadRows& bad,
                      const std::function<void(const TimeSeries&)>& use);

}  // namespace unroll::models
