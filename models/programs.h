// The subcommands of the program `unroll`: what they take and what they do. Results go to stdout, progress to
// stderr. Each throws Error for bad input.
#pragma once
#include <cstdint>
#include <string>

#include "models/classifier.h"
#include "models/classifier_training.h"
#include "models/language_model.h"
#include "models/language_training.h"

namespace unroll::models {

/// `unroll demo`: trains a text classifier on the noun definitions of WordNet.
struct Demo {
  std::string wordnet = "/usr/share/wordnet";
  std::string out;  // model file; empty for none
  ClassifierOptions model;
  ClassifierTraining training;
  Index min_count = 2;
  int threads = 1;
  bool json = false;
};
void run(const Demo& demo);

/// `unroll lm train`: trains a character language model on a text file.
struct LmTrain {
  std::string text, out;
  double validation = 0.1;  // share of the text, at its end
  LanguageModelOptions model;
  LanguageTraining training;
  int threads = 1;
  bool json = false;
};
void run(const LmTrain& train);

/// `unroll lm eval`: how well a model predicts a text file.
struct LmEval {
  std::string model, text;
  int threads = 1;
  bool json = false;
};
void run(const LmEval& eval);

/// `unroll lm sample`: continues a prompt.
struct LmSample {
  std::string model, prompt = "\n";
  Index length = 500;
  double temperature = 0.8;
  std::uint64_t seed = 1;
  bool json = false;
};
void run(const LmSample& sample);

}  // namespace unroll::models
