#include "models/tasks/tag/data.h"

#include <doctest/doctest.h>

#include "models/tasks/tag/task.h"
#include "tests/models/complaint.h"
#include "tests/models/temporary_folder.h"

namespace unroll::models {

TEST_CASE("tagging data: BIO tags are measured by spans; unseen tags are named; case may be folded") {
  const TemporaryFolder folder;
  BadRows bad;
  TaggingDataOptions options;
  options.format = {TaggedForm::columns, 0};
  options.lower = true;
  options.files.training = folder.file("train", "Jim B-PER\nran O\n\nJIM B-PER\nsmith I-PER\n");
  options.files.test = folder.file("test", "jim B-PER\nSmith I-PER\nran O\n");
  const TaggingData data = read_tagging_data(options, bad);
  CHECK(data.vocabulary.tokens() == std::vector<std::string>{"<unk>", "jim", "ran", "smith"});
  TaggerScore score;
  score.words = 3;
  score.accuracy = 2.0 / 3;
  score.predicted = {{0, 0, 1}};
  const auto list = measures(score, data.parts[2], data.tags);
  CHECK(list[0].name == "span F1");
  CHECK(list[0].value == 0);
  CHECK(list[3].name == "accuracy");

  options.files.test = folder.file("test", "jim B-PER\nrome B-LOC\n");
  CHECK(complaint([&] { read_tagging_data(options, bad); }, folder.path.string() + "/") ==
        "[labels] test:2: the label 'B-LOC' came; needed one of the 3 that the training data has");
  BadRows skip(BadRows::Policy::skip);
  options.files.test = folder.file("test", "jim B-PER\nrome B-LOC\n\njim O\n");
  CHECK(read_tagging_data(options, skip).parts[2].size() == 1);
  CHECK(skip.skipped() == 1);
}

}  // namespace unroll::models
