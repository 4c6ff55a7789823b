// The subcommands of the program `unroll`. Results go to stdout, progress to stderr; each throws Error for
// bad input.
#pragma once
#include <CLI/CLI.hpp>

namespace unroll::models {

/// `unroll demo`: a text classifier for the noun definitions of WordNet; and subcommands that show what a
/// recurrent net can and cannot do.
void add_demo(CLI::App& program);
void add_demo_vanishing(CLI::App& demos);
void add_demo_exploding(CLI::App& demos);
void add_demo_adding(CLI::App& demos);
void add_demo_copy(CLI::App& demos);
/// `unroll lm`: language models of characters or words.
void add_lm(CLI::App& program);
/// `unroll classify`: labels of texts and time series.
void add_classify(CLI::App& program);
/// `unroll tag`: a tag for each word.
void add_tag(CLI::App& program);
/// `unroll forecast`: what numbers come next.
void add_forecast(CLI::App& program);
/// `unroll inspect`: what happens in a model when it learns from a batch.
void add_inspect(CLI::App& program);
/// `unroll info`: what is in a model file.
void add_info(CLI::App& program);

}  // namespace unroll::models
