#include "models/training/saved.h"

#include <doctest/doctest.h>

#include "nn/layers.h"
#include "tests/models/complaint.h"
#include "tests/models/temporary_folder.h"

namespace unroll::models {

namespace {

struct Kitchen {
  Index cooks = 2;
  bool hot = true;
  template <class F>
  void settings(F&& each) {
    each("cooks", cooks, Range<Index>{1, 9}, "who cook");
    each("hot", hot, kYesOrNo, "whether there is a fire");
  }
};

struct AboutMenu {
  static constexpr const char* kind = "menu";
  Kitchen kitchen;
  std::vector<std::string> courses;
  LabelSet guests;
  Vocabulary words;
  Scaling prices;

  template <class F>
  void contents(F&& each) {
    kitchen.settings(each);
    each("courses", courses);
    if (kitchen.hot) each("words", words);
    each("guests", guests);
    each(prices, courses.size());
  }
  nn::Linear make(Generator& generator) const {
    if (kitchen.cooks == 7) autograd::fail("menu", "7 cooks came; needed fewer");
    return nn::Linear(kitchen.cooks, guests.size(), generator);
  }
};
using Menu = Saved<AboutMenu>;

Menu menu() {
  Generator g(3);
  return Menu({{3, true}, {"soup", "fish"}, LabelSet({"a", "b"}), Vocabulary({"?", "w"}), {{1, 2}, {0.5, 4}}},
              g);
}

// What is said of a file that was written with this card in place of its own.
std::string complaint_about(const ModelCard& card) {
  const TemporaryFolder folder;
  Menu model = menu();
  save_model(folder.file("m"), card, nn::parameters(model));
  return complaint([&] { load_model<Menu>(folder.file("m")); }, folder.path.string());
}

}  // namespace

TEST_CASE("saved: all that is listed comes back, and the parameters") {
  const TemporaryFolder folder;
  Menu model = menu();
  save_model(folder.file("m"), model);
  const Menu again = load_model<Menu>(folder.file("m"));
  CHECK(again.kitchen.cooks == 3);
  CHECK(again.courses == model.courses);
  CHECK(again.guests.names() == model.guests.names());
  CHECK(again.words.tokens() == model.words.tokens());
  CHECK(again.prices.means == model.prices.means);
  CHECK(again.prices.deviations == model.prices.deviations);
  CHECK(again.net.weight.value().at(5) == model.net.weight.value().at(5));
}

TEST_CASE("saved: contents that depend on a setting are in the file that has it") {
  Menu model = menu();
  CHECK(card_of(model).lists.contains("words"));
  model.kitchen.hot = false;
  CHECK_FALSE(card_of(model).lists.contains("words"));
  CHECK(complaint_about(card_of(model)) == "none");
}

TEST_CASE("saved: what a file may not say is refused, with its name") {
  const ModelCard good = card_of(menu());
  CHECK(complaint_about(good) == "none");
  auto with_list = [&](const char* name, std::vector<std::string> list) {
    ModelCard card = good;
    card.lists[name] = std::move(list);
    return complaint_about(card);
  };
  auto with = [&](const char* name, const Setting& setting) {
    ModelCard card = good;
    card.configuration[name] = setting;
    return complaint_about(card);
  };
  CHECK(with_list("courses", {}) == "[model] /m has nothing in its list 'courses'; needed some");
  CHECK(with_list("guests", {}) == "[model] /m has nothing in its list 'guests'; needed some");
  CHECK(with_list("guests", {"a", "a"}).starts_with("[model] /m has a bad list 'guests': "));
  CHECK(with_list("words", {"?", "?"}).starts_with("[model] /m has a bad list 'words': "));
  const std::string scaling =
      "[model] /m has a scaling that is not what unroll writes; needed a mean and a deviation above 0 for "
      "each "
      "column";
  CHECK(with_list("courses", {"soup"}) == scaling);
  CHECK(with("means", std::vector<double>{1}) == scaling);
  CHECK(with("deviations", std::vector<double>{1, 0}) == scaling);
  CHECK(with("cooks", Index{7}) ==
        "[model] /m describes a net that cannot be made: [menu] 7 cooks came; needed fewer");
  CHECK(with("cooks", Index{4}).starts_with("[model] /m"));  // its parameters are of other shapes
  ModelCard other = good;
  other.kind = "soup";
  CHECK(complaint_about(other) == "[model] /m holds a model of the kind 'soup'; needed a menu");
  other = good;
  other.lists.erase("words");
  CHECK(complaint_about(other) == "[model] /m has no list 'words'");
}

}  // namespace unroll::models
