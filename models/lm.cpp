#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "models/programs.h"
#include "models/text.h"
#include "ops/losses.h"

namespace unroll::models {

using autograd::fail;

namespace {

std::string read_text(const std::string& path) {
  std::string text = read_file(path);
  check_utf8(text, path);
  return text;
}

// The byte where the last `share` of the code points begins.
std::size_t split_point(std::string_view text, double share) {
  Index characters = 0;
  each_code_point(text, [&](std::string_view) { ++characters; });
  Index left = characters - static_cast<Index>(share * static_cast<double>(characters));
  std::size_t at = 0;
  for (; left > 0; --left) at += code_point_bytes(text[at]);
  return at;
}

nlohmann::json figures(double loss) {
  return {{"loss", loss},
          {"perplexity", ops::perplexity(loss)},
          {"bits_per_character", ops::bits_per_character(loss)}};
}

std::string in_words(double loss) {
  return fmt::format("loss {:.4f} nats, perplexity {:.3f}, {:.4f} bits per character", loss,
                     ops::perplexity(loss), ops::bits_per_character(loss));
}

nlohmann::json report(const std::vector<LanguageEpoch>& epochs, const LanguageEpoch& best) {
  nlohmann::json json = {{"best_epoch", best.epoch},
                         {"validation", figures(best.validation_loss)},
                         {"training_seconds", epochs.back().seconds}};
  for (const LanguageEpoch& e : epochs)
    json["epochs"].push_back({{"epoch", e.epoch},
                              {"loss", e.loss},
                              {"validation_loss", e.validation_loss},
                              {"seconds", e.seconds}});
  return json;
}

}  // namespace

void run(const LmTrain& train) {
  const std::string text = read_text(train.text);
  const std::size_t split = split_point(text, train.validation);
  const std::string_view first = std::string_view(text).substr(0, split);
  const Vocabulary vocabulary = character_vocabulary(first);
  const std::vector<int> training = character_ids(first, vocabulary),
                         validation = character_ids(std::string_view(text).substr(split), vocabulary);
  if (static_cast<Index>(training.size()) <= train.training.batch || validation.size() < 2)
    fail("lm train",
         fmt::format(
             "{} has {} characters to train on and {} to validate; needed more than the {} streams of a "
             "batch, and at least 2",
             train.text, training.size(), validation.size(), train.training.batch));
  Generator generator(train.training.seed);
  SavedLanguageModel saved{train.model, vocabulary, LanguageModel(vocabulary.size(), train.model, generator)};

  Workers workers(train.threads);
  Progress progress(static_cast<Index>(training.size()) * train.training.epochs, {.unit = "characters"});
  progress.note(fmt::format(
      "{} characters to train on, {} to validate; {} different ones, {} parameters, {} threads",
      with_commas(static_cast<Index>(training.size())), with_commas(static_cast<Index>(validation.size())),
      vocabulary.size() - 1, with_commas(parameter_count(saved.model)), train.threads));
  const auto epochs = models::train(
      saved.model, training, validation, train.training, workers, progress, [&](const LanguageEpoch& e) {
        progress.note(fmt::format("epoch {}/{}  loss {:.4f}  validation {}  {}", e.epoch,
                                  train.training.epochs, e.loss, in_words(e.validation_loss),
                                  clock_time(e.seconds)));
      });
  save_language_model(train.out, saved);
  const LanguageEpoch& best =
      *std::min_element(epochs.begin(), epochs.end(),
                        [](const auto& a, const auto& b) { return a.validation_loss < b.validation_loss; });
  if (train.json)
    fmt::print("{}\n", report(epochs, best).dump());
  else
    fmt::print("validation {} (epoch {}); the model is in {}\n", in_words(best.validation_loss), best.epoch,
               train.out);
}

void run(const LmEval& eval) {
  const SavedLanguageModel saved = load_language_model(eval.model);
  const std::vector<int> text = character_ids(read_text(eval.text), saved.vocabulary);
  if (text.size() < 2)
    fail("lm eval", fmt::format("{} has {} characters; needed at least 2", eval.text, text.size()));
  Workers workers(eval.threads);
  const double loss = evaluate(saved.model, text, workers);
  const auto unknown = std::count(text.begin(), text.end(), Vocabulary::kUnknown);
  if (eval.json) {
    nlohmann::json json = figures(loss);
    json["characters"] = text.size();
    json["unknown_characters"] = unknown;
    fmt::print("{}\n", json.dump());
  } else {
    fmt::print("{}; {} characters, {} of them unknown to the model\n", in_words(loss),
               with_commas(static_cast<Index>(text.size())), with_commas(unknown));
  }
}

void run(const LmSample& sample) {
  const SavedLanguageModel saved = load_language_model(sample.model);
  Generator generator(sample.seed);
  const std::string text = continue_text(saved, sample.prompt, sample.length, sample.temperature, generator);
  if (sample.json)
    fmt::print("{}\n", nlohmann::json{{"prompt", sample.prompt}, {"text", text}}.dump());
  else
    fmt::print("{}{}\n", sample.prompt, text);
}

}  // namespace unroll::models
