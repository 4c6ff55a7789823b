// The built program as its users meet it: arguments in, exit code, stdout and stderr out.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "models/text.h"

namespace unroll::models {

namespace {

using nlohmann::json;

// A folder of one test case.
struct Folder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / "unroll_program_test";
  Folder() {
    std::filesystem::remove_all(path);
    std::filesystem::create_directories(path);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string file(const std::string& name) const { return (path / name).string(); }
  std::string file(const std::string& name, const std::string& content) const {
    std::ofstream(path / name, std::ios::binary) << content;
    return file(name);
  }
};

struct Result {
  int code;
  std::string out, err;
};

Result unroll(const Folder& folder, const std::string& arguments) {
  const std::string out = folder.file("stdout"), err = folder.file("stderr");
  const int status =
      std::system(("'" UNROLL_PROGRAM "' " + arguments + " >'" + out + "' 2>'" + err + "'").c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(out), read_file(err)};
}

// One line, from the program, that holds all of these.
void check_complaint(const Result& result, int code, std::initializer_list<const char*> parts) {
  INFO(result.err);
  CHECK(result.code == code);
  CHECK(result.out.empty());
  CHECK(result.err.starts_with("unroll: "));
  CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
  for (const char* part : parts) {
    INFO(part);
    CHECK(result.err.find(part) != std::string::npos);
  }
}

std::string sonnet() {
  std::string text;
  for (int i = 0; i < 120; ++i) text += "tell me where is fancy bred, or in the heart or in the head?\n";
  return text;
}

// Definitions of two kinds, in which a word of each kind comes up; every last digit of the offset.
std::string definitions() {
  std::string lines = "  1 a licence\n";
  for (int i = 0; i < 400; ++i) {
    char line[128];
    std::snprintf(line, sizeof line, "%08d %s n 01 word_%d 0 000 | %s number %d; \"an example\"  \n",
                  1000 + i, i % 3 ? "05" : "20", i, i % 3 ? "an animal that runs" : "a plant that grows",
                  i % 7);
    lines += line;
  }
  return lines;
}

}  // namespace

TEST_CASE("program: version and help") {
  const Folder folder;
  const Result version = unroll(folder, "--version");
  CHECK(version.code == 0);
  CHECK(version.out.starts_with("unroll "));
  for (const char* command : {"", "demo", "demo vanishing", "demo exploding", "demo adding", "demo copy",
                              "lm", "lm train", "lm eval", "lm sample", "info"}) {
    const Result help = unroll(folder, std::string(command) + " --help");
    CHECK(help.code == 0);
    CHECK(help.out.find("Usage: unroll") != std::string::npos);
    CHECK(help.err.empty());
  }
}

TEST_CASE("program: wrong usage is one line and exit code 2") {
  const Folder folder;
  check_complaint(unroll(folder, ""), 2, {"subcommand is required"});
  check_complaint(unroll(folder, "dance"), 2,
                  {"'dance' came; needed one of demo, lm, classify, tag, forecast, info"});
  check_complaint(unroll(folder, "lm"), 2, {"subcommand is required"});
  check_complaint(unroll(folder, "lm dance"), 2, {"'dance' came; needed one of train, eval, sample"});
  check_complaint(unroll(folder, "lm train --text x"), 2, {"--out is required"});
  check_complaint(unroll(folder, "demo --epochs 0"), 2, {"--epochs", "0"});
  check_complaint(unroll(folder, "demo --threads many"), 2, {"--threads", "many"});
  check_complaint(unroll(folder, "demo --pool median"), 2, {"--pool", "median"});
  check_complaint(unroll(folder, "lm sample --model x --temperature -1"), 2, {"--temperature", "-1"});
}

TEST_CASE("program: bad input is one line and exit code 1") {
  const Folder folder;
  check_complaint(unroll(folder, "demo --wordnet /nowhere"), 1, {"/nowhere/data.noun", "wordnet-base"});
  folder.file("data.noun", "00001740 99 n 01 x 0 000 | y\n");
  check_complaint(unroll(folder, "demo --wordnet " + folder.path.string()), 1, {"data.noun:1: '99' came"});
  folder.file("data.noun", "00001740 03 n 01 x 0 000 | y\n");
  check_complaint(unroll(folder, "demo --wordnet " + folder.path.string()), 1, {"0 definitions to train on"});

  const std::string out = " --out " + folder.file("model");
  check_complaint(unroll(folder, "lm train --text /nowhere/x" + out), 1, {"/nowhere/x", "No such file"});
  check_complaint(unroll(folder, "lm train --text " + folder.file("bad.txt", "abc\n\xC3(") + out), 1,
                  {"bad.txt:2: byte 0x28"});
  check_complaint(unroll(folder, "lm train --text " + folder.file("empty.txt", "") + out), 1,
                  {"empty.txt has no token for the training"});
  CHECK_FALSE(std::filesystem::exists(folder.file("model")));
  check_complaint(unroll(folder, "lm sample --model /nowhere/m"), 1, {"/nowhere/m"});
  check_complaint(unroll(folder, "lm sample --model " + folder.file("junk", "junk, not a model")), 1,
                  {"junk"});
}

TEST_CASE("program: a language model is trained, measured and sampled") {
  const Folder folder;
  const std::string text = folder.file("text", sonnet()), model = folder.file("model.safetensors");
  const Result trained = unroll(folder, "lm train --json --text " + text + " --out " + model +
                                            " --epochs 12 --hidden 48 --embed 16 --batch 4 --bptt 32"
                                            " --lr 0.01 --threads 2");
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  const json report = json::parse(trained.out);
  CHECK(report["epochs"].size() == 12);
  const double loss = report["validation"]["loss"];
  CHECK(loss < 0.2);
  CHECK(report["validation"]["perplexity"].get<double>() == doctest::Approx(std::exp(loss)));
  CHECK(report["validation"]["bits per character"].get<double>() == doctest::Approx(loss / std::log(2.0)));
  CHECK(trained.err.find("epoch 12/12") != std::string::npos);

  const Result measured = unroll(folder, "lm eval --json --model " + model + " --text " + text);
  REQUIRE(measured.code == 0);
  const json figures = json::parse(measured.out);
  CHECK(figures["loss"].get<double>() < 0.2);
  CHECK(figures["unknown_tokens"] == 0);
  CHECK(unroll(folder, "lm eval --model " + model + " --text " + text).out.starts_with("loss "));

  const Result sampled = unroll(
      folder, "lm sample --model " + model + " --prompt 'tell me where is' --length 12 --temperature 0");
  CHECK(sampled.code == 0);
  CHECK(sampled.out == "tell me where is fancy bred,\n");
  CHECK(sampled.err.empty());
}

TEST_CASE("program: the demo learns, reports and saves") {
  const Folder folder;
  folder.file("data.noun", definitions());
  const std::string small = "demo --wordnet " + folder.path.string() +
                            " --epochs 4 --hidden 8 --embed 8 --batch 16 --lr 0.02 --seed 3";
  const Result result = unroll(folder, small + " --json --out " + folder.file("model.safetensors"));
  INFO(result.err);
  REQUIRE(result.code == 0);
  const json report = json::parse(result.out);
  CHECK(report["test"]["accuracy"] == 1.0);
  CHECK(report["epochs"].size() == 4);
  CHECK(report["examples"].size() == 8);
  CHECK(std::filesystem::exists(folder.file("model.safetensors")));
  CHECK(result.err.find("320 definitions of WordNet to train on, 40 to validate, 40 to test") !=
        std::string::npos);
  const Result in_words = unroll(folder, small);
  CHECK(in_words.out.starts_with("test accuracy 100.0 %"));
  CHECK(in_words.out.find("noun.plant") != std::string::npos);
}

TEST_CASE("program: words, lines and three files; the model says what it is") {
  const Folder folder;
  const std::string text = folder.file("text", sonnet()), model = folder.file("model.safetensors");
  const Result trained = unroll(
      folder, "lm train --json --level word --eos --train " + text + " --valid " + text + " --test " + text +
                  " --out " + model + " --plot " + folder.file("plot.svg") +
                  " --epochs 8 --hidden 24 --embed 16 --tied --batch 4 --bptt 20 --lr 0.02 --threads 2");
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  const json report = json::parse(trained.out);
  CHECK(report["test"]["perplexity"].get<double>() < 1.5);
  CHECK_FALSE(report["test"].contains("bits per character"));
  CHECK(report["options"]["schedule"] == "cosine");
  CHECK(report["model"]["tied"] == true);
  CHECK(report["vocabulary"] == 13);
  CHECK(report["tokens"]["test"] == 120 * 15);
  CHECK(read_file(folder.file("plot.svg")).starts_with("<svg"));

  const Result sampled =
      unroll(folder, "lm sample --model " + model + " --prompt 'tell me where' --length 3 --temperature 0");
  CHECK(sampled.out == "tell me where is fancy bred,\n");

  const json info = json::parse(unroll(folder, "info --json " + model).out);
  CHECK(info["kind"] == "language model");
  CHECK(info["configuration"]["level"] == "word");
  CHECK(info["lists"]["vocabulary"] == 13);
  CHECK(info["parameters"] == report["parameters"]);
  CHECK(info["training"]["finished"] == true);
  CHECK(info["training"]["epochs"].size() == 8);
  CHECK(info["tensors"][0]["name"] == "tokens.weight");
  CHECK(info["tensors"][0]["shape"] == json::array({13, 16}));
  const Result in_words = unroll(folder, "info " + model);
  CHECK(in_words.out.find("tokens.weight") != std::string::npos);
  CHECK(in_words.out.find("best epoch") != std::string::npos);
  check_complaint(unroll(folder, "info " + text), 1, {"text"});

  const std::string out = " --out " + folder.file("other");
  check_complaint(unroll(folder, "lm train" + out), 1, {"neither --text nor --train came"});
  check_complaint(unroll(folder, "lm train --eos --text " + text + out), 1, {"--eos came with --level char"});
  check_complaint(unroll(folder, "lm train --text " + text + " --test " + text + out), 1, {"--split"});
  check_complaint(unroll(folder, "lm train --schedule soon --text " + text + out), 2, {"'soon' came"});
  const Result other = unroll(folder, "lm train --resume --text " + text + " --out " + model);
  CHECK(other.code == 1);
  CHECK(other.err.find("is of a run with --batch 4, and --resume came with 16") != std::string::npos);
}

TEST_CASE("program: notes") {
  const Folder folder;
  std::string pieces;
  for (int i = 0; i < 12; ++i) pieces += std::string(i ? ", " : "") + "[[60, 64], [62], [60, 64], [62], []]";
  const std::string file = folder.file(
      "notes.json", "{\"train\": [" + pieces + "], \"valid\": [" + pieces + "], \"test\": [" + pieces + "]}");
  const std::string model = folder.file("model");
  const Result trained = unroll(folder, "lm train --level notes --json --text " + file + " --out " + model +
                                            " --hidden 16 --layers 1 --epochs 30 --batch 4 --lr 0.03");
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  const double loss = json::parse(trained.out)["test"]["loss"];
  CHECK(loss < 2);
  const Result measured = unroll(folder, "lm eval --json --model " + model + " --text " + file);
  CHECK(json::parse(measured.out)["loss"] == loss);
  check_complaint(unroll(folder, "lm sample --model " + model), 1, {"note model"});
}

// A real program, killed from outside at moments that nobody chose.
TEST_CASE("program: killed again and again and resumed, the model file has the same bits") {
  const Folder folder;
  const std::string text = folder.file("text", sonnet());
  auto arguments = [&](const std::string& out) {
    return std::vector<std::string>{UNROLL_PROGRAM,
                                    "lm",
                                    "train",
                                    "--text",
                                    text,
                                    "--out",
                                    folder.file(out),
                                    "--epochs",
                                    "4",
                                    "--hidden",
                                    "32",
                                    "--embed",
                                    "8",
                                    "--batch",
                                    "4",
                                    "--bptt",
                                    "16",
                                    "--dropout",
                                    "0.2",
                                    "--threads",
                                    "2",
                                    "--checkpoint",
                                    "0",
                                    "--resume"};
  };
  auto start = [&](const std::string& out) {
    std::vector<std::string> words = arguments(out);
    const pid_t child = fork();
    if (child == 0) {
      std::vector<char*> argv;
      for (std::string& word : words) argv.push_back(word.data());
      argv.push_back(nullptr);
      const int nowhere = ::open("/dev/null", O_WRONLY);
      ::dup2(nowhere, STDOUT_FILENO);
      ::dup2(nowhere, STDERR_FILENO);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    return child;
  };
  auto status_of = [](pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
  };
  CHECK(status_of(start("whole")) == 0);
  int kills = 0, status = -1;
  for (int milliseconds = 40; kills < 200; milliseconds += 37) {
    const pid_t child = start("killed");
    ::usleep(static_cast<useconds_t>(1000 * milliseconds));
    ::kill(child, SIGKILL);
    status = status_of(child);
    if (WIFEXITED(status)) break;  // it was done before
    ++kills;
  }
  CHECK(status == 0);
  CHECK(kills >= 2);
  CHECK(read_file(folder.file("killed")) == read_file(folder.file("whole")));
}

TEST_CASE("program: the demos of memory and of gradients") {
  const Folder folder;
  const Result vanishing = unroll(
      folder, "demo vanishing --json --length 5,30 --epochs 3 --hidden 8 --plot " + folder.file("v.svg"));
  INFO(vanishing.err);
  REQUIRE(vanishing.code == 0);
  const json runs = json::parse(vanishing.out)["runs"];
  REQUIRE(runs.size() == 6);
  for (const json& r : runs) {
    const std::vector<double> norms = r["gradient_norms_before"];
    CHECK(norms.size() == r["length"]);
    if (r["cell"] != "elman") continue;
    const std::vector<double> bound = r["bound"];
    for (std::size_t t = 0; t < norms.size(); ++t) CHECK(norms[t] <= bound[t] * (1 + 1e-5));
  }
  CHECK(read_file(folder.file("v.svg")).find("elman") != std::string::npos);
  CHECK(unroll(folder, "demo vanishing --length 5 --epochs 1").out.find("lstm") != std::string::npos);

  const Result exploding =
      unroll(folder, "demo exploding --json --length 40 --epochs 4 --plot " + folder.file("e.svg"));
  REQUIRE(exploding.code == 0);
  CHECK(json::parse(exploding.out)["runs"].size() == 2);
  CHECK(unroll(folder, "demo exploding --length 20 --epochs 2").out.find("clipped at 1") !=
        std::string::npos);

  const std::string small = " --json --length 8 --epochs 2 --batches 10 --hidden 8 --batch 8";
  const json adding = json::parse(unroll(folder, "demo adding" + small).out);
  CHECK(adding["guess"].get<double>() == doctest::Approx(1.0 / 6));
  CHECK(adding["test"]["squared error"].get<double>() < 1);
  const json copy = json::parse(unroll(folder, "demo copy --chrono 20 --cell lstm" + small).out);
  CHECK(copy["test"].contains("accuracy"));
  check_complaint(unroll(folder, "demo copy --chrono 20 --cell elman" + small), 1, {"needed one with gates"});
}

}  // namespace unroll::models
