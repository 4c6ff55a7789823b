// unroll inspect and --inspect, on a model of each kind.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>

#include "tests/models/program/run_program.h"
#include "tests/page_data.h"

namespace unroll::models {

namespace {

using nlohmann::json;

const std::string kSmall = " --threads 1 --epochs 1 --hidden 6 --seed 3 --json ";

// Trains a small model on `data`, and looks into it.
json inspected(const TemporaryFolder& folder, const std::string& train, const std::string& data,
               const std::string& options) {
  const std::string model = folder.file("model.safetensors"), page = folder.file("report.html");
  const ProgramResult trained = run_program(folder, train + kSmall + " --data " + data + " --out " + model);
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  const ProgramResult looked = run_program(
      folder, "inspect " + model + " --data " + data + " --report " + page + " --json " + options);
  INFO(looked.err);
  REQUIRE(looked.code == 0);
  CHECK(read_file(page).starts_with("<!doctype html>"));
  return json::parse(looked.out);
}

json report_on(const std::string& page) { return tests::data_of(read_file(page)); }

std::string lines(int count, const std::string& odd, const std::string& even) {
  std::string text;
  for (int i = 0; i < count; ++i) text += i % 2 ? odd : even;
  return text;
}

}  // namespace

TEST_CASE("unroll inspect: a classifier") {
  const TemporaryFolder folder;
  const std::string data = folder.file("data", lines(40, "a\tx y z x\n", "b\tz z y\n"));
  const json report = inspected(folder, "classify train --bidirectional --embed 4", data, "--batch 8");
  CHECK(report["summary"]["steps"] == 4);
  CHECK(report["summary"]["loss"].get<double>() > 0);
  CHECK(report["flow"].size() == 2);  // forward, reverse
  CHECK(report["flow"][0]["rows"][0] == 8);
  CHECK(report["parameters"][0].contains("gradient_norm"));
  CHECK(report["findings"].size() > 0);
  const std::string model = folder.file("model.safetensors");

  const ProgramResult words =
      run_program(folder, "inspect " + model + " --data " + data + " --report " + folder.file("report.html"));
  CHECK(words.code == 0);
  CHECK(words.out.find("4 time steps") != std::string::npos);
  const json same = json::parse(run_program(folder, "inspect " + model + " --data " + data +
                                                        " --json --report " + folder.file("report.html"))
                                    .out);
  CHECK(words.out.find(same["findings"][0].get<std::string>()) != std::string::npos);
  CHECK(words.out.find(fmt::format("loss {:.4f};", same["summary"]["loss"].get<double>())) !=
        std::string::npos);

  const std::string inspect = "inspect " + model + " --data " + data + " --report ";
  const std::string forms = inspect + folder.file("report.html") + " --batch 8 ";
  const std::string listing = run_program(folder, forms + "--listing").out;
  CHECK(listing.starts_with("node  op"));
  CHECK(std::ranges::count(listing, '\n') == report["summary"]["nodes"].get<int>() + 1);
  CHECK(run_program(folder, forms + "--dot").out.starts_with("digraph tape {"));
  const json trace = json::parse(run_program(folder, forms + "--trace").out);
  CHECK(trace.size() > report["summary"]["nodes"].get<std::size_t>());
  CHECK(trace[0]["ph"] == "X");
  check_complaint(run_program(folder, forms + "--dot --json"), 2, {"--dot", "--json"});
  check_complaint(run_program(folder, inspect + folder.file("report.html") + " --number 4"), 1,
                  {"[inspect] batch 4 came; the data have 3 of this size"});
  check_complaint(run_program(folder, inspect + data), 2, {"is there and holds something else"});
  check_complaint(run_program(folder, "inspect " + data + " --data " + data), 1, {"safetensors"});
  check_complaint(run_program(folder, "inspect " + model), 2, {"--data is required"});
}

TEST_CASE("unroll inspect: gradients go back as far as in training; data may need their format") {
  const TemporaryFolder folder;
  const std::string data = folder.file("data", lines(40, "a x y z x\n", "b z z y x\n"));
  const json whole = inspected(folder, "classify train --pool last --embed 4", data, "")["flow"][0]["norm"];
  CHECK(whole[0].get<double>() > 0);
  const std::string look = "inspect " + folder.file("model.safetensors") + " --report " +
                           folder.file("report.html") + " --json --data ";
  const ProgramResult truncated = run_program(folder, look + data + " --bptt 2");
  INFO(truncated.err);
  REQUIRE(truncated.code == 0);
  const json norms = json::parse(truncated.out)["flow"][0]["norm"];
  CHECK((norms[0].is_null() || norms[0] == 0.0));
  CHECK(norms[3].get<double>() > 0);

  std::filesystem::create_directories(folder.path / "names");
  for (const char* name : {"names/a.txt", "names/b.txt", "names/README"}) folder.file(name, "x y\nz\n");
  CHECK(run_program(folder, look + folder.file("names") + " --except README").code == 0);
  CHECK(run_program(folder, look + data + " --format space").code == 0);
  check_complaint(run_program(folder, look + data + " --format conllu"), 1,
                  {"--format 'conllu' came for '", "needed tsv, space or folder"});
}

TEST_CASE("unroll inspect: a tagger, a forecaster, a language model") {
  const TemporaryFolder folder;
  const json tagger = inspected(folder, "tag train --format columns --embed 4 --char-hidden 3",
                                folder.file("tags", lines(30, "ka P\nbo N\n\n", "du N\nka P\nti V\n\n")), "");
  CHECK(tagger["summary"]["steps"] == 3);
  CHECK(tagger["flow"].size() >= 6);  // spelling in both directions, and the sentence with h and c

  std::string table = "x,y\n";
  for (int i = 0; i < 120; ++i) table += std::to_string(i % 7) + "," + std::to_string(i % 5) + "\n";
  const json forecaster =
      inspected(folder, "forecast train --targets y --window 6", folder.file("table.csv", table), "");
  CHECK(forecaster["summary"]["steps"] == 6);

  const json language =
      inspected(folder, "lm train --embed 4 --layers 2 --bptt 8 --batch 2",
                folder.file("text", lines(60, "to be or not\n", "that is it\n")), "--batch 3 --bptt 9");
  CHECK(language["summary"]["steps"] == 9);
  CHECK(language["flow"].size() == 4);  // two layers, h and c
  CHECK(language["flow"][0]["rows"][0] == 3);
}

TEST_CASE("--inspect keeps the history of a run, and says where it became infinite") {
  const TemporaryFolder folder;
  const std::string page = folder.file("run.html"),
                    train = "classify train --threads 2 --hidden 6 --embed 4 --batch 4 --data " +
                            folder.file("data", lines(40, "a\tx y z x\n", "b\tz z y\n")) + " --out " +
                            folder.file("model.safetensors") + " --inspect " + page;
  const ProgramResult trained = run_program(folder, train + " --epochs 2 --inspect-every 3");
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  CHECK(trained.err.find("run.html shows a batch of the model") != std::string::npos);
  const json report = report_on(page);
  CHECK(report["history"]["steps"].size() == 16);  // 8 batches an epoch
  CHECK(report["history"]["parameters"][0]["ratio"][0].get<double>() > 0);
  CHECK(report["flow"].size() > 0);

  check_complaint(run_program(folder, train + " --inspect-every 0"), 2, {"--inspect-every"});

  // A step multiplies the weights by about minus a million.
  const ProgramResult infinite =
      run_program(folder, train + " --epochs 2 --optimizer sgd --lr 1000 --weight-decay 1000 --clip 0");
  CHECK(infinite.code == 1);
  CHECK(infinite.err.find("needed a finite one; ") != std::string::npos);
  const json origin = report_on(page)["origin"];
  REQUIRE(origin.is_object());
  // With other roundings, a parameter may become infinite first.
  const std::string op = origin["op"], &said = infinite.err;
  CHECK((said.find(op + " made ") != said.npos || said.find("first used by " + op) != said.npos));
  CHECK(report_on(page)["flow"].size() > 0);
  CHECK(report_on(page)["profile"]["rows"].size() > 0);
  CHECK(report_on(page)["memory"]["peak_bytes"].get<double>() > 0);
}

}  // namespace unroll::models
