#include "models/training/settings.h"

#include <doctest/doctest.h>

#include "tests/models/complaint.h"
#include "tests/models/temporary_folder.h"

namespace unroll::models {

namespace {

enum class Taste { sweet, sour };
constexpr Word<Taste> kTastes[] = {{"sweet", Taste::sweet}, {"sour", Taste::sour}};

struct Soup {
  Taste taste = Taste::sweet;
  Index spoons = 2;
  int bowls = 1;
  double salt = 0.5;
  bool hot = true;
  std::string name = "borscht";

  template <class F>
  void settings(F&& each) {
    each("taste", taste, kTastes, "what it tastes of");
    each("spoons", spoons, Range<Index>{1, 9}, "to eat it with");
    each("bowls", bowls, Range<int>{1, 9}, "to eat it from");
    each("salt", salt, Range<double>{0, 1}, "in grams");
    each("hot", hot, kYesOrNo, "how it is served");
    each("name", name, Text{[](const std::string&) {}}, "what it is called");
  }
  bool operator==(const Soup&) const = default;
};

ModelFile saved(const TemporaryFolder& folder, const Configuration& configuration) {
  const std::string path = folder.file("soup");
  save_model(path, {.kind = "soup", .configuration = configuration, .lists = {}}, {});
  return ModelFile(path);
}

}  // namespace

TEST_CASE("settings: a model file says them, and they come back") {
  const TemporaryFolder folder;
  const Soup soup{Taste::sour, 3, 4, 0.25, false, "shchi"};
  Configuration configuration;
  describe(configuration, soup);
  CHECK(configuration.size() == 6);
  CHECK(std::get<std::string>(configuration["taste"]) == "sour");
  CHECK(std::get<Index>(configuration["bowls"]) == 4);
  Soup again;
  again.settings(SettingsReader(saved(folder, configuration)));
  CHECK(again == soup);
}

TEST_CASE("settings: what a file may not say is refused, with its name") {
  const TemporaryFolder folder;
  auto with = [&](const char* name, const Setting& setting) {
    Configuration configuration;
    describe(configuration, Soup());
    configuration[name] = setting;
    Soup soup;
    return complaint([&] { soup.settings(SettingsReader(saved(folder, configuration))); },
                     folder.path.string());
  };
  CHECK(with("taste", std::string("bitter")) ==
        "[model] /soup has 'bitter' as 'taste'; needed sweet or sour");
  CHECK(with("taste", true) == "[model] /soup has a bad setting 'taste'; needed a text");
  CHECK(with("spoons", Index{10}) ==
        "[model] /soup has a bad setting 'spoons'; needed a whole number from 1 to 9");
  CHECK(with("salt", 1.5) == "[model] /soup has a bad setting 'salt'; needed a number from 0 to 1");
  Configuration configuration;
  describe(configuration, Soup());
  configuration.erase("hot");
  Soup soup;
  CHECK(complaint([&] { soup.settings(SettingsReader(saved(folder, configuration))); },
                  folder.path.string()) == "[model] /soup has no setting 'hot' in its configuration");
}

TEST_CASE("settings: alternatives as people write them") {
  CHECK(alternatives(kTastes) == "sweet or sour");
  constexpr Word<int> three[] = {{"a", 1}, {"b", 2}, {"c", 3}};
  CHECK(alternatives(three) == "a, b or c");
}

}  // namespace unroll::models
