#include "models/tasks/language/model.h"

#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "autograd/gradient_check.h"
#include "models/tasks/language/task.h"
#include "nn/gradients.h"
#include "tests/models/temporary_folder.h"

namespace unroll::models {

namespace {

const LanguageModelOptions kSmall{.tokens = {},
                                  .net = {.cell = CellKind::lstm, .embed = 8, .hidden = 24, .layers = 2}};

// "0ab0cd0ab0cd...": after 0 one must know what came four characters ago.
std::string alternating(int repeats) {
  std::string text;
  for (int i = 0; i < repeats; ++i) text += "0ab0cd";
  return text;
}

Vocabulary vocabulary_of(const std::string& text, const Tokenisation& tokenisation) {
  TokenCounts counts;
  each_token(text, false, tokenisation, [&](std::string_view token) { counts.add(token); });
  return Vocabulary(counts, unknown_token(tokenisation), {});
}

SavedLanguageModel untrained(const std::string& text, const LanguageModelOptions& options = kSmall) {
  Generator g(1);
  return SavedLanguageModel({options, vocabulary_of(text, options.tokens)}, g);
}

std::vector<int> ids_of(const SavedLanguageModel& saved, const std::string& text) {
  return token_ids(text, saved.options.tokens, saved.vocabulary);
}

TrainingRecord train_quietly(SavedLanguageModel& saved, const std::string& text, int threads,
                             const TrainingOptions& given, Index bptt) {
  const std::vector<int> ids = ids_of(saved, text);
  Workers workers(threads);
  TrainingOptions options = given;
  options.bptt = bptt;
  LanguageTask task(saved, ids, ids, options);
  return train(task, options, workers, {.style = Progress::Style::silent});
}

}  // namespace

TEST_CASE("a language model learns a pattern through windows that are shorter than it") {
  const std::string text = alternating(400);
  SavedLanguageModel saved = untrained(text);
  const TrainingRecord record = train_quietly(
      saved, text, 2, {.epochs = 25, .batch = 8, .lr = 0.01, .schedule = "cosine", .clip = 1}, 4);
  CHECK(record.best().validation[0].value < 0.03);
  Generator g(1);
  const Sampling likeliest{.length = 9, .temperature = 0};
  CHECK(continue_text(saved, "0ab0cd0ab", likeliest, g) == "0cd0ab0cd");
  CHECK(continue_text(saved, "0ab0cd", likeliest, g) == "0ab0cd0ab");
}

TEST_CASE("an untrained model is about as good as guessing, for any number of workers alike") {
  const std::string text = alternating(5000);  // several streams
  const SavedLanguageModel saved = untrained(text);
  const std::vector<int> ids = ids_of(saved, text);
  Workers one(1), three(3);
  const double loss = evaluate(saved.net, ids, one);
  CHECK(std::abs(loss - std::log(6.0)) < 0.3);
  CHECK(evaluate(saved.net, ids, three) == loss);
  CHECK(std::isfinite(evaluate(saved.net, std::vector<int>{1, 2}, three)));
  CHECK_THROWS_AS(evaluate(saved.net, std::vector<int>{1}, one), Error);
}

TEST_CASE("training gives the same bits for the same seed and threads") {
  const std::string text = alternating(40);
  for (int threads : {1, 3}) {
    SavedLanguageModel a = untrained(text), b = untrained(text);
    for (SavedLanguageModel* saved : {&a, &b}) {
      saved->net.dropout = {0.3};
      train_quietly(*saved, text, threads, {.epochs = 1, .batch = 5}, 10);
    }
    const auto left = parameters(a.net), right = parameters(b.net);
    for (std::size_t i = 0; i < left.size(); ++i)
      CHECK(left[i].parameter->value().values() == right[i].parameter->value().values());
  }
}

TEST_CASE("sampling: reproducible by seed, whole code points, bad requests refused") {
  const SavedLanguageModel saved = untrained("\u00e9\u20ac\U0001F600abc");
  Generator a(7), b(7), c(8);
  const Sampling wild{.length = 200, .temperature = 1};
  const std::string text = continue_text(saved, "ab", wild, a);
  CHECK(text == continue_text(saved, "ab", wild, b));
  CHECK(text != continue_text(saved, "ab", wild, c));
  const std::vector<int> ids = ids_of(saved, text);
  CHECK(ids.size() == 200);
  for (int id : ids) CHECK(id != Vocabulary::kUnknown);
  CHECK(continue_text(saved, "z", {.length = 0}, a).empty());
  CHECK_THROWS_WITH(continue_text(saved, "", wild, a),
                    "[sample] a prompt without a token came; needed at least one");
  CHECK_THROWS_AS(continue_text(saved, "a", {.temperature = -1}, a), Error);
  CHECK_THROWS_AS(continue_text(saved, "a", {.temperature = std::nan("")}, a), Error);
  CHECK_THROWS_AS(continue_text(saved, "\xFF", wild, a), Error);
}

TEST_CASE("sampling among the likeliest: one of them is the most likely one, two are at most two") {
  const SavedLanguageModel saved = untrained("abcdef");
  Generator a(7), b(7);
  CHECK(continue_text(saved, "a", {.length = 50, .temperature = 1, .top = 1}, a) ==
        continue_text(saved, "a", {.length = 50, .temperature = 0}, b));
  std::set<char> seen;
  for (int i = 0; i < 60; ++i) seen.insert(continue_text(saved, "a", {.length = 1, .top = 2}, a)[0]);
  CHECK(seen.size() == 2);
}

TEST_CASE("a tied model: no output weights, the gradient of the embedding is that of both uses") {
  LanguageModelOptions options = kSmall;
  options.tied = true;
  SavedLanguageModel saved = untrained("abcdef", options);
  for (const NamedParameter& p : parameters(saved.net)) CHECK(p.path != "output.weight");
  nn::convert(saved.net, DType::f64);
  const std::vector<int> inputs = {1, 2, 3, 2, 1, 6}, targets = {2, 3, 2, 1, 6, 1};
  const auto layout = Layout::uniform(2, 3);
  const auto check = check_gradient(
      [&](Tape& tape) {
        nn::Carry carry;
        return saved.net.loss(saved.net(tape, inputs, layout, carry), targets);
      },
      parameters(saved.net));
  INFO(check.where);
  CHECK(check.error < 1e-6);
  Tape tape(DType::f64);
  nn::Carry carry;
  const Var rows = saved.net(tape, inputs, layout, carry);
  CHECK(cross_entropy(saved.net.logits(rows), targets).item() ==
        doctest::Approx(saved.net.loss(rows, targets).item()));
}

TEST_CASE("words: lines end as Penn Treebank's do, and text comes back") {
  const Tokenisation words{Level::word, true};
  TokenCounts counts;
  for (const char* word : {"the", "cat", "sat", kEndOfLine}) counts.add(word);
  const Vocabulary vocabulary(counts, kUnknownWord, {});
  const std::string text = "the cat\nsat the\n";
  const std::vector<int> ids = token_ids("  the\tcat \nsat the\n", words, vocabulary);
  CHECK(ids.size() == 6);
  CHECK(text_of(ids, words, vocabulary) == text);
  CHECK(token_ids("the dog", words, vocabulary)[1] == Vocabulary::kUnknown);
  CHECK(token_ids("the cat\nsat", {Level::word, false}, vocabulary).size() == 3);
}

TEST_CASE("the loss may be summed over time: the gradient is the mean's times the steps") {
  SavedLanguageModel saved = untrained("abcdef");
  const std::vector<int> text = ids_of(saved, "abcdefabcdefabcdefabc");
  std::vector<double> norms;
  for (const LossOver loss : {LossOver::tokens, LossOver::streams}) {
    LanguageTask task(saved, text, {}, {.batch = 2, .bptt = 5}, {.loss = loss});
    Workers workers(1);
    Generator g(1);
    task.begin_epoch(g);
    norms.push_back(global_norm(workers.run([&](Worker& worker) { task.learn(0, {0, 1}, worker, g); })));
  }
  CHECK(norms[1] == doctest::Approx(5 * norms[0]));
}

TEST_CASE("a window may be learned from twice, the next one goes on behind it, by any number of workers") {
  SavedLanguageModel saved = untrained("abcdef");
  const std::vector<int> text = ids_of(saved, "abcdefabcdeffedcbaabcabcdefabcdefabcd");
  const TrainingOptions run{.batch = 4, .bptt = 3};
  LanguageTask task(saved, text, {}, run), resumed(saved, text, {}, run);
  Workers workers(3);
  Generator g(1);
  auto loss = [&](LanguageTask& of, Index window) {
    std::vector<Tally> tallies(3);
    workers.run([&](Worker& worker) {
      Generator noise(2);
      tallies[static_cast<std::size_t>(worker.index)] = of.learn(window, {worker.index, 3}, worker, noise);
    });
    return tallies[0].loss + tallies[1].loss + tallies[2].loss;
  };
  task.begin_epoch(g);
  const double first = loss(task, 0);
  CHECK(loss(task, 0) == first);
  const std::vector<NamedTensor> state = task.state();
  const double second = loss(task, 1);
  CHECK(loss(task, 1) == second);
  resumed.begin_epoch(g);
  CHECK(loss(resumed, 1) != second);  // from zeros
  resumed.begin_epoch(g);
  resumed.load_state(state);
  CHECK(loss(resumed, 1) == second);
  task.begin_epoch(g);
  CHECK(loss(task, 0) == first);
}

TEST_CASE("a language model comes back from its file") {
  const TemporaryFolder folder;
  const std::string path = folder.file("model.safetensors");
  for (const bool tied : {false, true}) {
    LanguageModelOptions options = kSmall;
    options.tied = tied;
    options.net.cell = CellKind::gru;
    SavedLanguageModel saved = untrained("\n\"\u00e9 abc", options);
    save_model(path, saved);
    SavedLanguageModel loaded = load_model<SavedLanguageModel>(path);
    CHECK(loaded.vocabulary.tokens() == saved.vocabulary.tokens());
    Generator a(7), b(7);
    CHECK(continue_text(loaded, "a", {.length = 50}, a) == continue_text(saved, "a", {.length = 50}, b));
  }
}

TEST_CASE("a language model whose loss is not finite is refused, not measured") {
  SavedLanguageModel saved = untrained(alternating(20));
  for (const NamedParameter& p : parameters(saved.net)) p.parameter->value().fill(3e38f);
  Workers workers(1);
  CHECK_THROWS_WITH_AS((void)evaluate(saved.net, ids_of(saved, alternating(20)), workers),
                       doctest::Contains("[lm] "), Error);
}

}  // namespace unroll::models
