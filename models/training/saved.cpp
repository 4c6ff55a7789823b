#include "models/training/saved.h"

namespace unroll::models {

namespace {

constexpr const char *kMeans = "means", *kDeviations = "deviations";

template <class List>
void read_list(const ModelFile& file, const char* name, List& list) {
  const std::vector<std::string>& names = file.list(name);
  if (names.empty()) file.reject(fmt::format("has nothing in its list '{}'; needed some", name));
  try {
    list = List(names);
  } catch (const Error& e) {
    file.reject(fmt::format("has a bad list '{}': {}", name, e.what()));
  }
}

}  // namespace

void CardWriter::operator()(const Scaling& scaling, std::size_t) const {
  card_.configuration[kMeans] = scaling.means;
  card_.configuration[kDeviations] = scaling.deviations;
}

void ContentsReader::operator()(const char* name, std::vector<std::string>& list) const {
  read_list(file_, name, list);
}
void ContentsReader::operator()(const char* name, LabelSet& labels) const { read_list(file_, name, labels); }
void ContentsReader::operator()(const char* name, Vocabulary& tokens) const {
  read_list(file_, name, tokens);
}

void ContentsReader::operator()(Scaling& scaling, std::size_t columns) const {
  scaling = {file_.numbers(kMeans), file_.numbers(kDeviations)};
  const std::size_t count = scaling.columns(), needed = columns > 0 ? columns : count;
  if (count == 0 || count != needed || scaling.deviations.size() != needed ||
      !std::ranges::all_of(scaling.deviations, [](double d) { return d > 0; }))
    file_.reject(
        "has a scaling that is not what unroll writes; needed a mean and a deviation above 0 for each "
        "column");
}

}  // namespace unroll::models
