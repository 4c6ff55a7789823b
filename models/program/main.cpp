// The program `unroll`: its command line.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <new>
#include <span>
#include <string>
#include <vector>

#include "autograd/system/message.h"
#include "models/program/commands.h"
#include "models/training/interruption.h"
#include "models/training/progress.h"
#include "ops/simd/instruction_set.h"

namespace unroll::models {

static int complain(const char* message, int code) {
  tell(stderr, fmt::format("unroll: {}\n", autograd::one_line(message)));
  return code;
}

namespace {

// What is wrong with the words before the first option, if they name no subcommand; CLI11 does not name them.
std::string unknown_subcommand(const CLI::App& app, std::span<char* const> words) {
  const CLI::App* at = &app;
  for (const char* word : words) {
    const auto known = at->get_subcommands([](const CLI::App*) { return true; });
    if (known.empty() || word[0] == '-') return "";
    const auto next =
        std::ranges::find(known, std::string(word), [](const CLI::App* a) { return a->get_name(); });
    if (next == known.end()) {
      std::vector<std::string> names;
      for (const CLI::App* a : known) names.push_back(a->get_name());
      return fmt::format("'{}' came; needed one of {}", word, fmt::join(names, ", "));
    }
    at = *next;
  }
  return "";
}

int run_program(int argc, char** argv) {
  std::ios::sync_with_stdio(false);  // so that standard input is buffered
  CLI::App app("Recurrent nets on a CPU.", "unroll");
  app.set_version_flag("--version", fmt::format("unroll {} ({})", UNROLL_VERSION, ops::instruction_set()));
  app.require_subcommand(1);
  add_demo(app);
  add_lm(app);
  add_classify(app);
  add_tag(app);
  add_forecast(app);
  add_inspect(app);
  add_info(app);
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    const std::string unknown = unknown_subcommand(app, {argv + 1, argv + argc});
    return complain(fmt::format("{} (see --help)", unknown.empty() ? e.what() : unknown).c_str(), 2);
  } catch (const Interrupted& e) {
    return complain(e.what(), 128 + e.signal());  // as shells say it
  } catch (const std::bad_alloc&) {
    return complain("not enough memory; needed a smaller net, batch or number of steps", 1);
  } catch (const std::exception& e) {
    return complain(e.what(), 1);
  }
}

}  // namespace

}  // namespace unroll::models

int main(int argc, char** argv) {
  const int code = unroll::models::run_program(argc, argv);
  std::cout.flush();
  const bool written = std::fflush(stdout) == 0 && !std::ferror(stdout) && std::cout.good();
  return code == 0 && !written ? unroll::models::complain("standard output could not be written", 1) : code;
}
