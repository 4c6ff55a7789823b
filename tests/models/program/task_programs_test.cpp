// unroll classify, tag and forecast on small data that the tests make: each learns what can be learned.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "ops/random.h"
#include "tests/models/program/run_program.h"

namespace unroll::models {

namespace {

using nlohmann::json;

// Names of two invented languages: in one vowels come in pairs, in the other they never do.
std::string name(bool pairs, Generator& g) {
  std::string text;
  for (std::uint64_t i = 0, syllables = 2 + g.below(3); i < syllables; ++i) {
    text += "bdgklmnprst"[g.below(11)];
    const char vowel = "aeiou"[g.below(5)];
    text += vowel;
    if (pairs) text += vowel;
  }
  return text;
}

// A list of words in which "not" turns "good" and "bad" around.
std::string opinions(int count, std::uint64_t seed) {
  Generator g(seed);
  std::string rows;
  for (int i = 0; i < count; ++i) {
    const bool good = g.below(2), turned = g.below(2);
    std::string text;
    for (std::uint64_t w = g.below(4); w > 0; --w) text += "w" + std::to_string(g.below(20)) + " ";
    text += std::string(turned ? "not " : "") + (good ? "good" : "bad");
    for (std::uint64_t w = g.below(4); w > 0; --w) text += " w" + std::to_string(g.below(20));
    rows += std::string(good != turned ? "1 " : "0 ") + text + "\n";
  }
  return rows;
}

std::string series(int count, std::uint64_t seed) {
  Generator g(seed);
  std::string file = "@dimensions 2\n@equalLength false\n@classLabel true slow fast\n@data\n";
  for (int i = 0; i < count; ++i) {
    const bool fast = g.below(2);
    const double phase = g.uniform(0, 6), step = fast ? 1.5 : 0.7;
    std::string x, y;
    for (std::uint64_t t = 0, steps = 10 + g.below(10); t < steps; ++t) {
      x += (t ? "," : "") + std::to_string(std::sin(phase + step * static_cast<double>(t)));
      y += (t ? "," : "") + std::to_string(g.normal());
    }
    file += x + ":" + y + (fast ? ":fast\n" : ":slow\n");
  }
  return file;
}

// CoNLL-U of an invented language: words that end in "-et" are verbs, others nouns, but "ka" is a particle
// before a verb and an adposition before a noun.
std::string treebank(int count, std::uint64_t seed) {
  Generator g(seed);
  std::string file;
  for (int i = 0; i < count; ++i) {
    file += "# sent_id = " + std::to_string(i) + "\n";
    int id = 0;
    auto word = [&](const std::string& form, const char* tag) {
      file += std::to_string(++id) + "\t" + form + "\t_\t" + tag + "\t_\t_\t_\t_\t_\t_\n";
    };
    for (std::uint64_t w = 1 + g.below(5); w > 0; --w) {
      const bool verb = g.below(2);
      if (g.below(2)) word("ka", verb ? "PART" : "ADP");
      word(name(false, g) + (verb ? "et" : ""), verb ? "VERB" : "NOUN");
    }
    file += "\n";
  }
  return file;
}

std::string small() { return " --threads 2 --batch 16 --lr 0.02 --hidden 12 --seed 3 --json "; }

}  // namespace

TEST_CASE("unroll classify: characters of a folder of names, beside 3-grams") {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder.path / "names");
  Generator g(1);
  for (bool pairs : {false, true}) {
    std::string names;
    for (int i = 0; i < 300; ++i) names += name(pairs, g) + "\n";
    folder.file(pairs ? "names/Pairs.txt" : "names/Singles.txt", names);
  }
  folder.file("names/README", "about\n");
  const std::string data =
      "classify train --data " + folder.file("names") +
      " --except README --unique --level char --epochs 12 --threads 2 --batch 16 --lr 0.02 --seed 3 --json";
  const std::string model = folder.file("model.safetensors");
  for (const char* kind : {" --model rnn --embed 8 --hidden 12 --dropout 0.1 --pool last",
                           " --model ngrams --schedule constant"}) {
    const ProgramResult trained = run_program(folder, data + kind + " --out " + model);
    INFO(trained.err);
    REQUIRE(trained.code == 0);
    const json report = json::parse(trained.out);
    CHECK(report["test"]["accuracy"].get<double>() > 0.95);
    CHECK(report["labels"] == 2);
    CHECK(trained.err.find("duplicates left out") != std::string::npos);
  }
  const ProgramResult predicted =
      run_program(folder, "classify predict --model " + model, "baadeelii\nkapitu\n");
  CHECK(predicted.code == 0);
  CHECK(predicted.out.starts_with("Pairs\t"));
  CHECK(predicted.out.find("\nSingles\t") != std::string::npos);
  const ProgramResult ended =
      run_program(folder, "classify predict --model " + model, "baadeelii\n\nkapitu\n");
  CHECK(ended.code == 1);
  CHECK(ended.out == predicted.out.substr(0, predicted.out.find('\n') + 1));
  CHECK(ended.err.find("standard input:2: an empty line came; needed a text") != std::string::npos);
  const ProgramResult skipped =
      run_program(folder, "classify predict --skip-bad --json --model " + model, "baadeelii\n\nkapitu\n");
  CHECK(skipped.code == 0);
  CHECK(skipped.err.find("1 bad row skipped; the first: [classify] standard input:2:") != std::string::npos);
  const json first = json::parse(skipped.out.substr(0, skipped.out.find('\n'))),
             second = json::parse(skipped.out.substr(skipped.out.find('\n')));
  CHECK(first["line"] == 1);
  CHECK(first["labels"] == json::array({"Pairs"}));
  CHECK(first["probability"].get<double>() > 0.5);
  CHECK(second["line"] == 3);
  CHECK(second["labels"] == json::array({"Singles"}));
}

TEST_CASE("unroll classify: words of \"label text\" files; eval; an unseen label is named") {
  const TemporaryFolder folder;
  const std::string model = folder.file("model.safetensors");
  const ProgramResult trained = run_program(
      folder, "classify train --train " + folder.file("train", opinions(400, 1)) + " --valid " +
                  folder.file("valid", opinions(100, 2)) + " --test " +
                  folder.file("test", opinions(200, 3)) +
                  " --epochs 8 --embed 12 --word-dropout 0.05 --pool mean" + small() + "--out " + model);
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  const json report = json::parse(trained.out);
  CHECK(report["test"]["accuracy"].get<double>() > 0.95);
  const ProgramResult measured =
      run_program(folder, "classify eval --json --model " + model + " --data " + folder.file("test"));
  REQUIRE(measured.code == 0);
  const json figures = json::parse(measured.out);
  CHECK(figures["accuracy"] == report["test"]["accuracy"]);
  CHECK(figures["sequences"] == 200);
  CHECK(figures["labels"] == report["labels"]);
  CHECK(figures["by_label"].size() == 2);
  const ProgramResult piped = run_program(folder, "classify eval --json --model " + model + " --data -",
                                          read_file(folder.file("test")));
  CHECK(piped.out == measured.out);
  check_complaint(run_program(folder, "classify predict --model " + model, "\f\ngood\n"), 1,
                  {"standard input:1: an empty line came; needed a text"});

  const std::string eval = "classify eval --model " + model + " --data ";
  check_complaint(run_program(folder, eval + folder.file("bad", "1 good\n2 bad\n")), 1,
                  {"bad:2: the label '2' came; needed one of the 2 that the training data has"});
  const ProgramResult skipped = run_program(folder, eval + folder.file("bad") + " --skip-bad");
  CHECK(skipped.code == 0);
  CHECK(skipped.out.find("1 sequences") != std::string::npos);
  CHECK(skipped.err.find("1 bad row skipped; the first: [labels]") != std::string::npos);
}

TEST_CASE("unroll classify: many labels, and pretrained vectors") {
  const TemporaryFolder folder;
  std::string rows;
  Generator g(1);
  for (int i = 0; i < 400; ++i) {
    const bool cat = g.below(2), dog = g.below(2);
    rows += std::string(cat ? "cat" : "") + (cat && dog ? "|" : "") + (dog ? "dog" : "") + "\tthere";
    if (dog) rows += " barks";
    if (g.below(2)) rows += " something";
    if (cat) rows += " purrs";
    rows += "\n";
  }
  const ProgramResult trained = run_program(
      folder, "classify train --many-labels --data " + folder.file("rows.tsv", rows) + " --vectors " +
                  folder.file("vectors", "purrs 1 0 0 1\nbarks 0 1 0 1\nmiaows 1 0 0 1\n") + " --epochs 6" +
                  small() + "--out " + folder.file("model.safetensors"));
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  const json report = json::parse(trained.out);
  CHECK(report["test"]["f1"].get<double>() > 0.97);
  CHECK(report["test"]["accuracy"].get<double>() <= report["test"]["f1"].get<double>());
  CHECK(report["epochs"][5].contains("accuracy"));  // the same figure of the training part
  CHECK(report["vectors_found"] == 2);
  CHECK(report["model"]["embed"] == 4);
  CHECK(trained.err.find("2 of 4 words have a vector (50.0 %); 3 vectors in the file") != std::string::npos);
  const ProgramResult predicted =
      run_program(folder, "classify predict --model " + folder.file("model.safetensors"),
                  "there barks something purrs\nthere something\n");
  CHECK(predicted.out.starts_with("cat|dog\t"));
  const std::size_t none = predicted.out.find("\n\t");
  REQUIRE(none != std::string::npos);
  const double probability = std::stod(predicted.out.substr(none + 2));
  CHECK((probability >= 0.25 && probability < 1));  // neither of two that are unlikely
}

TEST_CASE("unroll classify: time series of several dimensions and lengths") {
  const TemporaryFolder folder;
  const std::string model = folder.file("model.safetensors");
  const ProgramResult trained =
      run_program(folder, "classify train --train " + folder.file("train.ts", series(200, 1)) + " --test " +
                              folder.file("test.ts", series(100, 2)) +
                              " --epochs 20 --pool last --dropout 0.1" + small() + "--out " + model);
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  CHECK(json::parse(trained.out)["test"]["accuracy"].get<double>() > 0.95);
  const ProgramResult predicted =
      run_program(folder, "classify predict --model " + model + " --data " + folder.file("test.ts"));
  CHECK(std::ranges::count(predicted.out, '\n') == 100);
  check_complaint(run_program(folder, "classify train --train " + folder.file("train.ts") + " --test " +
                                          folder.file("x", "a b\n") + " --out " + folder.file("y")),
                  1, {"x came; needed a file of time series (.ts), as in training"});
  check_complaint(run_program(folder, "classify train --embed 3 --train " + folder.file("train.ts") +
                                          " --out " + folder.file("y")),
                  2, {"--embed came with time series; needed texts"});
  check_complaint(
      run_program(folder, "classify eval --model " + model + " --data " + folder.file("x", "a b\n")), 1,
      {"x came; needed a file of time series (.ts), as in training"});
}

TEST_CASE("unroll tag: CoNLL-U by spelling and neighbours") {
  const TemporaryFolder folder;
  const std::string model = folder.file("model.safetensors");
  const ProgramResult trained =
      run_program(folder, "tag train --train " + folder.file("train.conllu", treebank(250, 1)) + " --valid " +
                              folder.file("valid.conllu", treebank(60, 2)) + " --test " +
                              folder.file("test.conllu", treebank(120, 3)) +
                              " --epochs 6 --embed 8 --char-embed 8 --char-hidden 12 --dropout 0.1" +
                              small() + "--out " + model);
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  const json report = json::parse(trained.out);
  CHECK(report["test"]["accuracy"].get<double>() > 0.97);
  const ProgramResult measured =
      run_program(folder, "tag eval --json --model " + model + " --data " + folder.file("test.conllu"));
  CHECK(json::parse(measured.out)["accuracy"] == report["test"]["accuracy"]);
  const ProgramResult predicted =
      run_program(folder, "tag predict --model " + model, "ka potamuret\nka lagu dabet\n");
  CHECK(predicted.out == "PART VERB\nADP NOUN VERB\n");
  const std::string unknown_tags =
      "1\tka\t_\t_\t_\t_\t_\t_\t_\t_\n2\tpotamuret\t_\t_\t_\t_\t_\t_\t_\t_\n\n# next\n"
      "1\tlagu\t_\t_\t_\t_\t_\t_\t_\t_\n";
  const ProgramResult conllu = run_program(
      folder, "tag predict --json --model " + model + " --data " + folder.file("u.conllu", unknown_tags));
  CHECK(conllu.out == "{\"line\":1,\"tags\":[\"PART\",\"VERB\"]}\n{\"line\":5,\"tags\":[\"NOUN\"]}\n");
  check_complaint(
      run_program(folder, "tag predict --model " + model, unknown_tags), 1,
      {"standard input:1: a TAB came; needed words with blanks between them, or a file whose name "
       "ends in .conllu"});
  check_complaint(run_program(folder, "tag train --out y --train " + folder.file("one", "a X\nb X\n")), 1,
                  {"[tag] training data with 1 different tags came; needed at least 2"});
  CHECK(run_program(folder, "tag predict --json --skip-bad --threads 2 --model " + model,
                    "ka potamuret\n\nlagu\n")
            .out == "{\"line\":1,\"tags\":[\"PART\",\"VERB\"]}\n{\"line\":3,\"tags\":[\"NOUN\"]}\n");
  check_complaint(run_program(folder, "tag eval --model " + model + " --data " +
                                          folder.file("x.conllu", "1\ta\t_\tX\t_\t_\t_\t_\t_\t_\n")),
                  1, {"x.conllu:1: the label 'X' came"});
  check_complaint(run_program(folder, "tag train --column colour --train x.conllu --out y"), 1,
                  {"the column 'colour' came"});
}

TEST_CASE("unroll forecast: a wave in a CSV") {
  const TemporaryFolder folder;
  std::string csv = "t,wave\n";
  for (int t = 0; t < 400; ++t)
    csv += std::to_string(t) + "," + std::to_string(20 + 5 * std::sin(0.5 * t)) + "\n";
  const std::string model = folder.file("model.safetensors");
  const ProgramResult trained =
      run_program(folder, "forecast train --data " + folder.file("wave.csv", csv) +
                              " --targets wave --inputs wave --window 8 --horizon 2 --epochs 40" + small() +
                              "--out " + model);
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  const json report = json::parse(trained.out);
  CHECK(report["test"]["rmse"].get<double>() < 0.3);
  CHECK(report["test"]["naive_rmse"].get<double>() > 1);
  CHECK(trained.err.find("naive") == std::string::npos);
  check_complaint(run_program(folder, "inspect --column 3 " + model + " --data " + folder.file("wave.csv") +
                                          " --report " + folder.file("page")),
                  2, {"[inspect] --column came with a forecaster; needed a model that has a use for it"});
  const ProgramResult measured =
      run_program(folder, "forecast eval --json --model " + model + " --data " + folder.file("wave.csv"));
  CHECK(json::parse(measured.out)["windows"] == 391);

  const ProgramResult predicted =
      run_program(folder, "forecast predict --last --model " + model, csv.substr(0, csv.find("\n100,") + 1));
  INFO(predicted.out);
  CHECK(predicted.out.starts_with("row,wave+1,wave+2\n100,"));
  const double next = std::stod(predicted.out.substr(predicted.out.find("\n100,") + 5));
  CHECK(std::abs(next - (20 + 5 * std::sin(50.0))) < 0.6);
  std::string waves;
  for (int t = 0; t < 100; ++t) waves += std::to_string(20 + 5 * std::sin(0.5 * t)) + "\n";
  const json figures = json::parse(
      run_program(folder, "forecast predict --json --last --skip-bad --model " + model, "wave\nx\n" + waves)
          .out);
  CHECK(figures["row"] == 100);
  CHECK(std::abs(figures["forecast"]["wave+1"].get<double>() - next) < 1e-4);
  check_complaint(run_program(folder, "forecast predict --model " + model, "wave\n1\nNaN\n"), 1,
                  {"standard input:3: 'NaN' in the column 'wave' came; needed a finite number"});
  check_complaint(run_program(folder, "forecast train --data x --out y"), 2, {"--targets is required"});
}

TEST_CASE("the new programs: help, wrong use, files of another kind") {
  const TemporaryFolder folder;
  for (const char* command :
       {"classify", "classify train", "classify eval", "classify predict", "tag", "tag train", "tag eval",
        "tag predict", "forecast", "forecast train", "forecast eval", "forecast predict"}) {
    const ProgramResult help = run_program(folder, std::string(command) + " --help");
    CHECK(help.code == 0);
    CHECK(help.out.find("Usage: unroll") != std::string::npos);
  }
  // The same word for the same thing everywhere.
  for (const char* command : {"lm", "classify", "tag", "forecast"}) {
    const std::string help = run_program(folder, std::string(command) + " train --help").out;
    for (const char* option :
         {"--data",   "--split",     "--train",   "--valid",    "--test",     "--cell",         "--hidden",
          "--layers", "--embed",     "--dropout", "--pool",     "--batch",    "--bptt",         "--epochs",
          "--lr",     "--optimizer", "--clip",    "--schedule", "--seed",     "--threads",      "--patience",
          "--out",    "--resume",    "--json",    "--plot",     "--skip-bad", "--bidirectional"}) {
      INFO(command, " ", option);
      CHECK(help.find("  " + std::string(option)) != std::string::npos);
    }
  }
  check_complaint(run_program(folder, "tag train --pool max --train x --out y"), 2,
                  {"--pool: came, but each word has a tag of its own"});
  check_complaint(run_program(folder, "forecast train --embed 3 --train x --targets z --out y"), 2,
                  {"--embed: came, but numbers go in as they are, scaled"});
  check_complaint(run_program(folder, "classify train --model ngrams --hidden 3 --train " +
                                          folder.file("rows", "a b\nc d\n") + " --out y"),
                  2, {"[classify train] --hidden came with --model ngrams; needed --model rnn"});
  check_complaint(run_program(folder, "classify dance"), 2,
                  {"'dance' came; needed one of train, eval, predict"});
  check_complaint(run_program(folder, "classify train --out x"), 2, {"neither --data nor --train came"});
  check_complaint(run_program(folder, "classify train --train x --pool median --out y"), 2,
                  {"--pool", "median"});
  check_complaint(run_program(folder, "tag predict --model " + folder.file("junk", "junk, no model")), 1,
                  {"junk"});
  CHECK_FALSE(std::filesystem::exists(folder.file("y")));
}

TEST_CASE("an option that can have no effect is refused before any data are read") {
  const TemporaryFolder folder;
  auto refused = [&](const std::string& arguments, const char* message) {
    INFO(arguments);
    check_complaint(run_program(folder, arguments + " --out " + folder.file("y")), 2, {message});
  };
  refused("classify train --train x --ngrams 2", "--ngrams came with --model rnn; needed --model ngrams");
  refused("classify train --data x --level char --punctuation",
          "--punctuation came with --level char; needed --level word");
  refused("classify train --train x --split 0.5,0.5", "--split came with --train; needed --data");
  refused("classify train --train x --split-seed 2", "--split-seed came with --train; needed --data");
  refused("classify train --train x --patience 2",
          "--patience came with nothing to validate on; needed --valid");
  refused("tag train --train x --schedule plateau:1:0.5",
          "--schedule came with a plateau and nothing to validate on");
  refused("classify train --data x --except y", "--except came with a file; needed a folder");
  refused("forecast train --data x --targets y --dropout 0.1 --variational",
          "--variational came with --layers 1; needed more layers");
  refused("demo adding --dropout 0.1", "--dropout came with --layers 1; needed more layers");
  refused("classify train --data x --dropout 0 --variational",
          "--variational came with --dropout 0; needed a --dropout above 0");
  refused("classify train --data x --vectors y --embed 3", "--embed came with --vectors; needed one of them");
  refused("tag train --data x --char-hidden 0 --char-embed 3",
          "--char-embed came with --char-hidden 0; needed a --char-hidden above 0");
  refused("forecast train --targets z --train x --patience 2", "--patience came with nothing to validate on");
  refused("lm train --data x --bptt 0", "[lm train] --bptt 0 came; needed at least 1");
  refused("lm train --data x --train y", "[lm train] --data and --train came; needed one of them");
  refused("lm train --level notes --data x --tied",
          "--tied came with --level notes; needed --level char or word");
  refused("tag train --train x --hidden 16384 --layers 64", "--hidden came with a net of 408,");
  refused("demo copy --pool max", "--pool: came, but the last steps answer");
  check_complaint(run_program(folder, "demo adding --checkpoint 3"), 2,
                  {"[demo adding] --checkpoint came with no --out"});
  check_complaint(run_program(folder, "classify eval --model m --data x --except y"), 2,
                  {"[classify eval] --except came with a file; needed a folder"});
}

}  // namespace unroll::models
