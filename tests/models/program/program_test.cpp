// The built program as its users meet it: arguments in, exit code, stdout and stderr out.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "nn/safetensors.h"
#include "tests/models/program/run_program.h"

namespace unroll::models {

namespace {

using nlohmann::json;

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
  const TemporaryFolder folder;
  const ProgramResult version = run_program(folder, "--version");
  CHECK(version.code == 0);
  CHECK(version.out.starts_with("unroll "));
  for (const char* command : {"", "demo", "demo vanishing", "demo exploding", "demo adding", "demo copy",
                              "lm", "lm train", "lm eval", "lm sample", "info"}) {
    const ProgramResult help = run_program(folder, std::string(command) + " --help");
    CHECK(help.code == 0);
    CHECK(help.out.find("Usage: unroll") != std::string::npos);
    CHECK(help.err.empty());
  }
}

TEST_CASE("program: wrong usage is one line and exit code 2") {
  const TemporaryFolder folder;
  check_complaint(run_program(folder, ""), 2, {"subcommand is required"});
  check_complaint(run_program(folder, "dance"), 2,
                  {"'dance' came; needed one of demo, lm, classify, tag, forecast, inspect, info"});
  check_complaint(run_program(folder, "lm"), 2, {"subcommand is required"});
  check_complaint(run_program(folder, "lm dance"), 2, {"'dance' came; needed one of train, eval, sample"});
  check_complaint(run_program(folder, "lm train --data x"), 2, {"--out is required"});
  check_complaint(run_program(folder, "demo --epochs 0"), 2, {"--epochs", "0"});
  check_complaint(run_program(folder, "demo --threads many"), 2, {"--threads", "many"});
  check_complaint(run_program(folder, "demo --pool median"), 2, {"--pool", "median"});
  check_complaint(run_program(folder, "lm sample --model x --temperature -1"), 2, {"--temperature", "-1"});
}

TEST_CASE("program: what would replace something else, or is no number, is refused before any work") {
  const TemporaryFolder folder;
  const std::string text = folder.file("text", "to be or not to be\n"),
                    lm = "lm train --data " + text + " --out ";
  check_complaint(run_program(folder, lm + text), 2, {"--out", "is there and holds something else"});
  CHECK(read_file(text) == "to be or not to be\n");
  check_complaint(run_program(folder, lm + folder.path.string()), 2, {"--out", "is no regular file"});
  check_complaint(run_program(folder, lm + "/nowhere/model"), 2,
                  {"/nowhere/model: creating a temporary file beside it failed: No such file or directory"});
  check_complaint(run_program(folder, lm + "/proc/model"), 2, {"/proc/model: creating a temporary file"});
  if (::geteuid() != 0) {  // root may write anywhere
    std::filesystem::create_directories(folder.path / "locked");
    const std::string picture = folder.file("locked/plot.svg", "<svg");
    ::chmod(folder.file("locked").c_str(), 0555);
    check_complaint(run_program(folder, lm + folder.file("m") + " --plot " + picture), 2,
                    {"plot.svg: creating a temporary file beside it failed: Permission denied"});
  }
  std::filesystem::create_symlink(folder.file("m", ""), folder.file("link"));
  for (const std::string& outputs : std::vector<std::string>{
           "--out m --inspect m", "--out m --plot ./m", "--out m --plot link --inspect p",
           "--out m --inspect p --plot ../" + folder.path.filename().string() + "/p"}) {
    INFO(outputs);
    check_complaint(run_program(folder, "lm train --data " + text + " " + outputs, "", folder.path.string()),
                    2, {"[lm train] --", " came with the same file '", "needed one for each"});
  }
  check_complaint(run_program(folder, lm + folder.file("m") + " --plot " + text), 2,
                  {"--plot", "something else"});
  for (const char* option : {"--lr", "--clip", "--weight-decay", "--dropout"})
    check_complaint(run_program(folder, lm + folder.file("m") + " " + option + " nan"), 2,
                    {option, "'nan' came; needed a number from 0 to "});
  check_complaint(run_program(folder, lm + folder.file("m") + " --seed -1"), 2, {"--seed", "'-1' came"});
  check_complaint(run_program(folder, "demo --pool median"), 2,
                  {"--pool: 'median' came; needed one of last, mean, max, attention"});
}

TEST_CASE("program: bad input is one line and exit code 1") {
  const TemporaryFolder folder;
  check_complaint(run_program(folder, "demo --wordnet /nowhere"), 1, {"/nowhere/data.noun", "wordnet-base"});
  folder.file("data.noun", "00001740 99 n 01 x 0 000 | y\n");
  check_complaint(run_program(folder, "demo --wordnet " + folder.path.string()), 1,
                  {"data.noun:1: '99' came"});
  folder.file("data.noun", "00001740 03 n 01 x 0 000 | y\n");
  check_complaint(run_program(folder, "demo --wordnet " + folder.path.string()), 1,
                  {"0 definitions to train on"});

  const std::string out = " --out " + folder.file("model");
  check_complaint(run_program(folder, "lm train --data /nowhere/x" + out), 1, {"/nowhere/x", "No such file"});
  check_complaint(run_program(folder, "lm train --data " + folder.file("bad.txt", "abc\n\xC3(") + out), 1,
                  {"bad.txt:2: byte 0x28"});
  check_complaint(run_program(folder, "lm train --data " + folder.file("empty.txt", "") + out), 1,
                  {"empty.txt has 0 tokens, none of them for training"});
  check_complaint(run_program(folder, "lm train --data -" + out), 1,
                  {"standard input has 0 tokens, none of them for training"});
  CHECK_FALSE(std::filesystem::exists(folder.file("model")));
  check_complaint(run_program(folder, "lm sample --model /nowhere/m"), 1, {"/nowhere/m"});
  check_complaint(run_program(folder, "lm sample --model " + folder.file("junk", "junk, not a model")), 1,
                  {"junk"});
}

TEST_CASE("program: a language model is trained, measured and sampled") {
  const TemporaryFolder folder;
  const std::string text = folder.file("text", sonnet()), model = folder.file("model.safetensors");
  const ProgramResult trained =
      run_program(folder, "lm train --json --data " + text + " --out " + model +
                              " --epochs 12 --hidden 48 --embed 16 --batch 4 --bptt 32"
                              " --lr 0.01 --threads 2");
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  const json report = json::parse(trained.out);
  CHECK(report["epochs"].size() == 12);
  const double loss = report["validation"]["loss"];
  CHECK(loss < 0.2);
  CHECK(report["validation"]["perplexity"].get<double>() == doctest::Approx(std::exp(loss)));
  CHECK(report["validation"]["bits_per_character"].get<double>() == doctest::Approx(loss / std::log(2.0)));
  CHECK(trained.err.find("epoch 12/12") != std::string::npos);

  const ProgramResult measured = run_program(folder, "lm eval --json --model " + model + " --data " + text);
  REQUIRE(measured.code == 0);
  const json figures = json::parse(measured.out);
  CHECK(figures["loss"].get<double>() < 0.2);
  CHECK(figures["unknown_tokens"] == 0);
  CHECK(run_program(folder, "lm eval --model " + model + " --data " + text).out.starts_with("loss "));

  const ProgramResult sampled = run_program(
      folder, "lm sample --model " + model + " --prompt 'tell me where is' --length 12 --temperature 0");
  CHECK(sampled.code == 0);
  CHECK(sampled.out == "tell me where is fancy bred,\n");
  CHECK(sampled.err.empty());
  CHECK(run_program(folder, "lm sample --length 3 --prompt 'tell ME' --model " + model).err ==
        "2 of the 7 characters of the prompt are unknown to the model\n");
  check_complaint(run_program(folder, "lm sample --temperature 0 --seed 2 --model " + model), 2,
                  {"[lm sample] --seed came with --temperature 0; needed a temperature above 0"});
  CHECK(run_program(folder, "info " + model).out.find("\n  best bits per character  0.") !=
        std::string::npos);
}

TEST_CASE("program: the demo learns, reports and saves") {
  const TemporaryFolder folder;
  folder.file("data.noun", definitions());
  const std::string small = "demo --wordnet " + folder.path.string() +
                            " --epochs 4 --hidden 8 --embed 8 --batch 16 --lr 0.02 --seed 3";
  const ProgramResult result =
      run_program(folder, small + " --json --out " + folder.file("model.safetensors"));
  INFO(result.err);
  REQUIRE(result.code == 0);
  const json report = json::parse(result.out);
  CHECK(report["test"]["accuracy"] == 1.0);
  CHECK(report["epochs"].size() == 4);
  CHECK(report["examples"].size() == 8);
  CHECK(std::filesystem::exists(folder.file("model.safetensors")));
  CHECK(result.err.find("320 definitions of WordNet to train on, 40 to validate, 40 to test") !=
        std::string::npos);
  const ProgramResult in_words = run_program(folder, small);
  CHECK(in_words.out.starts_with("test accuracy 100.0 %"));
  CHECK(in_words.out.find("noun.plant") != std::string::npos);
}

TEST_CASE("program: words, lines and three files; the model says what it is") {
  const TemporaryFolder folder;
  const std::string text = folder.file("text", sonnet()), model = folder.file("model.safetensors");
  const ProgramResult trained = run_program(
      folder, "lm train --json --level word --eos --train " + text + " --valid " + text + " --test " + text +
                  " --out " + model + " --plot " + folder.file("plot.svg") +
                  " --epochs 16 --hidden 24 --embed 16 --tied --batch 4 --bptt 20 --lr 0.02 --threads 2");
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  const json report = json::parse(trained.out);
  CHECK(report["test"]["perplexity"].get<double>() < 1.5);
  CHECK_FALSE(report["test"].contains("bits_per_character"));
  CHECK(report["options"]["schedule"] == "cosine");
  CHECK(report["model"]["tied"] == true);
  CHECK(report["vocabulary"] == 13);
  CHECK(report["tokens"]["test"] == 120 * 15);
  CHECK(read_file(folder.file("plot.svg")).starts_with("<svg"));

  const ProgramResult sampled = run_program(
      folder, "lm sample --model " + model + " --prompt 'tell me where' --length 3 --temperature 0");
  CHECK(sampled.out == "tell me where is fancy bred,\n");

  const json info = json::parse(run_program(folder, "info --json " + model).out);
  CHECK(info["kind"] == "language model");
  CHECK(info["configuration"]["level"] == "word");
  CHECK(info["lists"]["vocabulary"] == 13);
  CHECK(info["parameters"] == report["parameters"]);
  CHECK(info["training"]["finished"] == true);
  CHECK(info["training"]["epochs"].size() == 16);
  CHECK(info["tensors"][0]["name"] == "tokens.weight");
  CHECK(info["tensors"][0]["shape"] == json::array({13, 16}));
  const ProgramResult in_words = run_program(folder, "info " + model);
  CHECK(in_words.out.find("tokens.weight") != std::string::npos);
  CHECK(in_words.out.find("best epoch") != std::string::npos);
  CHECK(in_words.out.find("best perplexity") != std::string::npos);
  CHECK(in_words.out.find("13 entries: \"<unk>\", ") != std::string::npos);
  CHECK(trained.err.find("plot.svg shows the learning curves\n") != std::string::npos);
  for (const char* damage : {"{", "{}", "[1]"})
    for (const char* json : {"", " --json"}) {
      nn::SafeTensors content = nn::read_safetensors(model);
      content.metadata["unroll.training"] = damage;
      nn::write_safetensors(folder.file("damaged"), content);
      check_complaint(run_program(folder, "info " + folder.file("damaged") + json), 1,
                      {"damaged has a training state that is not what unroll writes"});
    }
  check_complaint(run_program(folder, "info " + text), 1, {"text: no safetensors file: "});
  check_complaint(run_program(folder, "info"), 2, {"MODEL is required"});

  const std::string out = " --out " + folder.file("other");
  REQUIRE(run_program(folder, "lm train --level word --epochs 1 --hidden 4 --embed 4 --train " + text + out)
              .code == 0);
  check_complaint(run_program(folder, "lm sample --model " + folder.file("other")), 1,
                  {"a model of words that was trained without --eos came without --prompt; needed one"});
  check_complaint(run_program(folder, "lm train" + out), 2, {"neither --data nor --train came"});
  check_complaint(run_program(folder, "lm train --eos --data " + text + out), 2,
                  {"--eos came with --level char"});
  check_complaint(run_program(folder, "lm train --data " + text + " --test " + text + out), 2, {"--split"});
  check_complaint(
      run_program(folder, "lm train --schedule \"$(printf 'so\\non\\033')\" --data " + text + out), 2,
      {"'so?on?' came"});
  check_complaint(run_program(folder, "lm train --schedule soon --data " + text + out), 2, {"'soon' came"});
  check_complaint(run_program(folder, "lm train --bidirectional --data " + text + out), 2,
                  {"--bidirectional: came, but a language model must not see what comes next"});
  const ProgramResult other = run_program(folder, "lm train --resume --data " + text + " --out " + model);
  CHECK(other.code == 1);
  CHECK(other.err.find("is of a run with --batch 4, and --resume came with --batch 16") != std::string::npos);
}

TEST_CASE("program: notes") {
  const TemporaryFolder folder;
  std::string pieces;
  for (int i = 0; i < 12; ++i) pieces += std::string(i ? ", " : "") + "[[60, 64], [62], [60, 64], [62], []]";
  const std::string file = folder.file(
      "notes.json", "{\"train\": [" + pieces + "], \"valid\": [" + pieces + "], \"test\": [" + pieces + "]}");
  const std::string model = folder.file("model");
  const ProgramResult trained =
      run_program(folder, "lm train --level notes --json --data " + file + " --out " + model +
                              " --hidden 16 --layers 1 --epochs 30 --batch 4 --lr 0.03");
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  const double loss = json::parse(trained.out)["test"]["loss"];
  CHECK(loss < 2);
  const ProgramResult measured = run_program(folder, "lm eval --json --model " + model + " --data " + file);
  CHECK(json::parse(measured.out)["loss"] == loss);
  check_complaint(run_program(folder, "lm eval --streams 2 --model " + model + " --data " + file), 2,
                  {"[lm eval] --streams came with a note model; needed a language model"});
  check_complaint(run_program(folder, "lm sample --model " + model), 1, {"note model"});
  check_complaint(run_program(folder, "lm eval --model " + model + " --data " + folder.file("bad", "{]")), 1,
                  {"[notes] ", "bad: parse error at line 1, column 2"});
}

namespace {

pid_t start(const std::string& arguments, const std::string& log = "/dev/null") {
  std::vector<std::string> words{UNROLL_PROGRAM};
  std::istringstream text(arguments);
  for (std::string word; text >> word;) words.push_back(word);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    const int file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    ::dup2(file, STDOUT_FILENO);
    ::dup2(file, STDERR_FILENO);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  return child;
}
int status_of(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

}  // namespace

// Real programs, killed from outside at moments that nobody chose.
TEST_CASE("program: killed again and again and resumed, the model file has the same bits") {
  const TemporaryFolder folder;
  std::string rows, sentences, table = "x,y\n";
  for (int i = 0; i < 90; ++i) {
    rows +=
        std::string(i % 3 ? "a" : "b") + "\tw" + std::to_string(i % 7) + " w" + std::to_string(i % 5) + "\n";
    sentences += "w" + std::to_string(i % 9) + " X\nv Y\n\n";
    table += std::to_string(i % 11) + "," + std::to_string(i % 4) + "\n";
  }
  const std::string programs[] = {
      "lm train --bptt 16 --data " + folder.file("text", sonnet()),
      "classify train --bidirectional --word-dropout 0.1 --data " + folder.file("rows.tsv", rows),
      "tag train --optimizer momentum --data " + folder.file("sentences", sentences),
      "forecast train --schedule plateau:0:0.5 --targets y --window 5 --data " +
          folder.file("table.csv", table)};
  for (const std::string& program : programs) {
    INFO(program);
    auto arguments = [&](const char* out) {
      return program +
             " --epochs 4 --hidden 24 --batch 4 --dropout 0.2 --threads 2 --checkpoint 0 --resume --out " +
             folder.file(out);
    };
    std::filesystem::remove(folder.file("whole"));
    std::filesystem::remove(folder.file("killed"));
    REQUIRE(status_of(start(arguments("whole"))) == 0);
    int kills = 0, status = -1;
    for (int milliseconds = 40; kills < 200; milliseconds += 37) {
      const pid_t child = start(arguments("killed"));
      ::usleep(static_cast<useconds_t>(1000 * milliseconds));
      ::kill(child, SIGKILL);
      status = status_of(child);
      if (WIFEXITED(status)) break;  // it was done before
      ++kills;
    }
    CHECK(status == 0);
    CHECK(kills >= 1);
    CHECK(read_file(folder.file("killed")) == read_file(folder.file("whole")));
  }
}

TEST_CASE("program: asked to stop, it says how to go on") {
  const TemporaryFolder folder;
  for (const int signal : {SIGINT, SIGTERM}) {
    const std::string model = folder.file("model" + std::to_string(signal)), log = folder.file("log");
    const pid_t child = start(
        "lm train --epochs 100000 --hidden 8 --embed 4 --batch 4 --bptt 16 --checkpoint 0 "
        "--data " +
            folder.file("text", sonnet()) + " --out " + model,
        log);
    for (int i = 0; i < 3000 && !std::filesystem::exists(model); ++i) ::usleep(10000);
    ::kill(child, signal);
    const int status = status_of(child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 128 + signal);
    const std::string said = read_file(log);
    INFO(said);
    CHECK(said.find("unroll: [training] stopped ") != std::string::npos);
    CHECK(said.ends_with("; go on with --resume\n"));
    CHECK(run_program(folder, "info " + model).out.find("cut off; --resume goes on") != std::string::npos);
  }
}

TEST_CASE("program: the demos of memory and of gradients") {
  const TemporaryFolder folder;
  const ProgramResult vanishing = run_program(
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
  CHECK(vanishing.err.find("v.svg shows it\n") != std::string::npos);
  const std::string words =
      run_program(folder, "demo vanishing --length 5,20 --epochs 1 --plot " + folder.file("v.svg")).out;
  CHECK(read_file(folder.file("v.svg")).find(">-9</tspan>") == std::string::npos);  // nothing is so small
  CHECK(words.find("lstm") != std::string::npos);
  const std::size_t norms = words.find("norm of dL/dh(t) before training, 20 steps");
  REQUIRE(norms != std::string::npos);
  CHECK(words.find("\n     1  ", norms) != std::string::npos);
  CHECK(words.find("\n    20  ", norms) != std::string::npos);
  CHECK(words.find("The bound is elman's", norms) != std::string::npos);

  // Without clipping rounding decides what becomes of a run. What is so for every one: the gradient explodes
  // before training, both runs begin with the same net and part at the first update, and the clipped one
  // learns where 30 steps are to be remembered.
  const auto exploding = [&](const std::string& options) {
    const ProgramResult result = run_program(folder, "demo exploding --json" + options);
    REQUIRE(result.code == 0);
    const json report = json::parse(result.out);
    const std::vector<double> norms = report["gradient_norms"], bound = report["bound"];
    for (std::size_t t = 0; t < norms.size(); ++t) CHECK(norms[t] <= bound[t] * (1 + 1e-5));
    CHECK(norms.front() > 3 * norms.back());
    const json runs = report["runs"];
    REQUIRE(runs.size() == 2);
    CHECK(runs[0]["clip"] == 0.0);
    CHECK(runs[1]["clip"] == 1.0);
    CHECK(runs[0]["losses"] != runs[1]["losses"]);
    return report;
  };
  const json shorter = exploding(" --length 30 --seed 3 --epochs 8 --plot " + folder.file("e.svg"));
  CHECK(shorter["runs"][1]["losses"][7].get<double>() < 0.1);  // guessing: 0.693
  CHECK(shorter["runs"][1]["accuracy"].get<double>() > 0.95);
  const json longer = exploding(" --epochs 1");
  CHECK(longer["gradient_norms"][0].get<double>() > 500 * longer["gradient_norms"].back().get<double>());
  CHECK(longer["runs"][1]["gradient_norms"][0].get<double>() > 50);  // as long as it is not thrown from there
  CHECK(run_program(folder, "demo exploding --length 20 --epochs 2").out.find("clipped at 1") !=
        std::string::npos);

  const std::string small = " --json --length 8 --epochs 2 --batches 10 --hidden 8 --batch 8";
  const json adding = json::parse(
      run_program(
          folder,
          "demo adding --json --length 8 --epochs 4 --batches 40 --hidden 8 --batch 16 --lr 0.02 --out " +
              folder.file("adding"))
          .out);
  check_complaint(run_program(folder, "inspect " + folder.file("adding") + " --data x"), 1,
                  {"holds a model of the kind 'adding problem'; needed one of: "});
  CHECK(adding["guess"].get<double>() == doctest::Approx(1.0 / 6));
  CHECK(adding["test"]["squared_error"].get<double>() < 0.05);
  for (const char* unused : {"embed", "bidirectional", "pool"}) CHECK_FALSE(adding["model"].contains(unused));
  const json copy = json::parse(run_program(folder, "demo copy --chrono 20 --cell lstm" + small).out);
  CHECK(copy["test"].contains("accuracy"));
  check_complaint(run_program(folder, "demo copy --chrono 20 --cell elman" + small), 1,
                  {"needed one with gates"});
}

}  // namespace unroll::models
