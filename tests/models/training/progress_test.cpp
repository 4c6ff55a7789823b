#include "models/training/progress.h"

#include <doctest/doctest.h>

#include "models/training/record.h"

namespace unroll::models {

namespace {
std::string content(std::FILE* file) {
  std::rewind(file);
  std::string text;
  for (int c; (c = std::fgetc(file)) != EOF;) text += static_cast<char>(c);
  return text;
}
}  // namespace

TEST_CASE("times as people write them") {
  CHECK(clock_time(8.6) == "0:09");
  CHECK(clock_time(750) == "12:30");
  CHECK(clock_time(3723) == "1:02:03");
}

TEST_CASE("progress: where nobody looks it is lines of a log") {
  std::FILE* file = std::tmpfile();
  REQUIRE(file);
  {
    Progress progress(200, {.unit = "characters", .quiet_seconds = 0, .out = file});
    progress.update("epoch 1/2", 50, 0.84213, 0.751);
    progress.note("validation accuracy 70.0 %");
    progress.update("epoch 2/2", 200, 0.5);
  }
  const std::string text = content(file);
  std::fclose(file);
  CHECK(text.find("epoch 1/2   25 %  loss 0.8421  accuracy 75.1 %  ") == 0);
  CHECK(text.find(" characters/s  0:00 left\nvalidation accuracy 70.0 %\nepoch 2/2  100 %  loss 0.5000  ") !=
        std::string::npos);
  CHECK(text.find('\r') == std::string::npos);
}

TEST_CASE("progress: a log is quiet between its lines") {
  std::FILE* file = std::tmpfile();
  REQUIRE(file);
  {
    Progress progress(10, {.quiet_seconds = 3600, .out = file});
    for (int i = 0; i < 10; ++i) progress.update("epoch", i, 1);
  }
  CHECK(content(file).empty());
  std::fclose(file);
}

TEST_CASE("measures in words: no more digits than anybody reads") {
  auto words = [](double value) {
    const Measure m{.name = "loss", .value = value};
    return in_words({&m, 1});
  };
  CHECK(words(1.23456) == "loss 1.2346");
  CHECK(words(123456.789) == "loss 123456.79");
  CHECK(words(152153129334145822830362624.0) == "loss 1.522e+26");
}

}  // namespace unroll::models
