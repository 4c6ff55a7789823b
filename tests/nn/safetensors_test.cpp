#include "nn/safetensors.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include "ops/random.h"

using namespace unroll;
using doctest::Contains;
namespace files = std::filesystem;

namespace {

/// A folder for the length of a scope.
struct Folder {
  Folder() {
    std::string name = (files::temp_directory_path() / "unroll-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()));
    path = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { files::remove_all(path); }
  std::string file(const char* name) const { return path / name; }
  std::ptrdiff_t count() const { return std::distance(files::directory_iterator(path), {}); }
  files::path path;
};

std::string bytes_of(std::uint64_t length, const std::string& header, const std::string& data) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}
std::string bytes_of(const std::string& header, const std::string& data = "") {
  return bytes_of(header.size(), header, data);
}
SafeTensors parse(const std::string& bytes) {
  return nn::parse_safetensors(std::as_bytes(std::span(bytes)), "x.safetensors");
}
std::string refusal(const std::string& bytes) {
  try {
    parse(bytes);
  } catch (const Error& e) {
    return e.what();
  }
  return "accepted";
}
std::string content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}
void put(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

const std::string k8(8, 'x'), k16(16, 'x'), k24(24, 'x');

struct Model {
  Parameter w{"", Shape{2, 3}}, b{"", Shape{3}};
  void members(Members& m) { m("w", w), m("b", b); }
};

}  // namespace

TEST_CASE("a file written is the file read") {
  Folder folder;
  const std::string path = folder.file("all.safetensors");
  SafeTensors out;
  out.metadata = {{"format", "pt"}, {"quote \" and \\ and \n", "\xC3\xA9"}};
  out.tensors.push_back({"odd", Tensor::from(Shape{3}, {1, -2.5, 1e-40})});
  out.tensors.push_back({"wide", Tensor::from(Shape{2, 1}, {1e300, 0.1}, f64)});
  out.tensors.push_back({"scalar", Tensor::from(Shape{}, {7})});
  out.tensors.push_back({"none", Tensor(Shape{4, 0, 2})});
  out.tensors.push_back({"", Tensor::from(Shape{1, 1, 2, 1}, {NAN, -INFINITY})});
  write_safetensors(path, out);
  CHECK(folder.count() == 1);

  const SafeTensors in = read_safetensors(path);
  CHECK(in.metadata == out.metadata);
  REQUIRE(in.tensors.size() == out.tensors.size());
  CHECK(in.tensors.front().name == "wide");  // f64 first
  for (const NamedTensor& n : out.tensors) {
    const Tensor* t = in.find(n.name);
    REQUIRE(t);
    CHECK(t->shape() == n.tensor.shape());
    CHECK(t->dtype() == n.tensor.dtype());
    CHECK(std::memcmp(t->raw(), n.tensor.raw(), n.tensor.bytes()) == 0);
  }
  CHECK(in.find("other") == nullptr);
  CHECK(content(path).size() % 8 == 0);  // the header is padded, and there are 40 bytes of numbers

  write_safetensors(path, SafeTensors{});
  CHECK(read_safetensors(path).tensors.empty());
}

TEST_CASE("the bytes of a small file") {
  Folder folder;
  const std::string path = folder.file("small.safetensors");
  SafeTensors out;
  out.tensors.push_back({"a", Tensor::from(Shape{2}, {1, -2})});
  write_safetensors(path, out);
  const std::string header = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  CHECK(content(path) == bytes_of(padded, std::string("\0\0\x80\x3F\0\0\0\xC0", 8)));
}

TEST_CASE("16-bit numbers become f32") {
  const std::string header =
      R"({"h":{"dtype":"F16","shape":[8],"data_offsets":[0,16]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[16,20]}})";
  const std::uint16_t bits[] = {0x3C00, 0xC000, 0x7BFF, 0x0001, 0x0400,
                                0x7C00, 0xFC00, 0x8000, 0x3F80, 0xC049};
  const SafeTensors in =
      parse(bytes_of(header, std::string(reinterpret_cast<const char*>(bits), sizeof bits)));
  const double expected[] = {1, -2, 65504, std::ldexp(1, -24), std::ldexp(1, -14), INFINITY, -INFINITY, 0};
  for (Index i = 0; i < 8; ++i) CHECK(in.find("h")->at(i) == expected[i]);
  CHECK(std::signbit(in.find("h")->at(7)));
  CHECK(in.find("b")->at(0) == 1);
  CHECK(in.find("b")->at(1) == -3.140625);
  const std::uint16_t nan = 0x7E01;
  CHECK(std::isnan(parse(bytes_of(R"({"h":{"dtype":"F16","shape":[],"data_offsets":[0,2]}})",
                                  std::string(reinterpret_cast<const char*>(&nan), 2)))
                       .find("h")
                       ->at(0)));
}

TEST_CASE("what the format allows is read") {
  CHECK(parse(bytes_of("{}")).tensors.empty());
  CHECK(parse(bytes_of("{}      ")).tensors.empty());
  CHECK(parse(bytes_of(R"({"__metadata__":{}})")).metadata.empty());
  // in any order of keys, with spaces inside, and zero-sized tensors anywhere
  const SafeTensors in = parse(bytes_of(
      R"({ "b" : {"data_offsets":[8,16],"shape":[2],"dtype":"F32"}, "__metadata__":{"k":"v"},
          "z":{"dtype":"F64","shape":[0,9],"data_offsets":[8,8]},"a":{"dtype":"F64","shape":[],"data_offsets":[0,8]},
          "y":{"dtype":"F32","shape":[0],"data_offsets":[16,16]}})",
      k16));
  REQUIRE(in.tensors.size() == 4);
  CHECK(in.tensors[0].name == "a");
  CHECK(in.tensors[1].name == "z");
  CHECK(in.tensors[2].name == "b");
  CHECK(in.tensors[3].name == "y");
  CHECK(in.metadata.at("k") == "v");
}

TEST_CASE("every rule of the format is enforced, and named") {
  const std::string one = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  auto tensor = [](const char* name, const char* dtype, const char* shape, const char* offsets) {
    return std::string("\"").append(name) + R"(":{"dtype":")" + dtype + R"(","shape":)" + shape +
           R"(,"data_offsets":)" + offsets + "}";
  };
  auto header = [](const std::string& inner) { return std::string("{").append(inner).append("}"); };
  REQUIRE(refusal(bytes_of(one, k8)) == "accepted");

  struct Case {
    std::string bytes;
    const char* message;
  };
  const std::uint64_t huge = 100'000'001, all = ~std::uint64_t{0};
  const Case cases[] = {
      // length
      {"", "no safetensors file: a file of 0 bytes came; needed 8 or more"},
      {"1234567", "a file of 7 bytes came"},
      {bytes_of(huge, one, k8), "no safetensors file: a header of 100000001 bytes came"},
      {bytes_of(all, one, k8), "a header of 18446744073709551615 bytes came"},
      {bytes_of(one.size() + 9, one, k8), "needed at most 100000000, and 8 less than the file"},
      // text
      {bytes_of(0, "", ""), "needed '{' first"},
      {bytes_of(" {}"), "needed '{' first"},
      {bytes_of("[]"), "needed '{' first"},
      {bytes_of("\xEF\xBB\xBF{}"), "needed '{' first"},
      {bytes_of("{}\n"), "'}' last"},
      {bytes_of(std::string("{}\0\0", 4)), "'}' last"},
      {bytes_of(std::string("{}\0}", 4)), "padded with spaces"},
      {bytes_of("{}{}"), "no valid JSON at its byte 3"},
      {bytes_of("{,}"), "no valid JSON"},
      {bytes_of("{\"a\xFF\":{}}"), "no valid JSON"},
      {bytes_of("{/**/}"), "no valid JSON"},
      // keys
      {bytes_of(header(tensor("a", "F32", "[1]", "[0,4]") + "," + tensor("a", "F32", "[1]", "[4,8]")), k8),
       "the key 'a' came twice in the header"},
      {bytes_of(R"({"__metadata__":{},"__metadata__":{}})"),
       "the key '__metadata__' came twice in the header"},
      {bytes_of(R"({"__metadata__":{"k":"1","k":"2"}})"), "the key 'k' came twice in __metadata__"},
      {bytes_of(R"({"a":{"dtype":"F32","dtype":"F64","shape":[1],"data_offsets":[0,8]}})", k8),
       "the key 'dtype' came twice in tensor 'a'"},
      {bytes_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}})", k8),
       "the key 'x' came in tensor 'a'"},
      {bytes_of(R"({"a":{"dtype":"F32","shape":[2]}})", k8), "2 of 3 keys came in tensor 'a'"},
      // types
      {bytes_of(R"({"a":3})"), "a number came in the header, key 'a'; needed an object"},
      {bytes_of(R"({"a":null})"), "null came in the header"},
      {bytes_of(R"({"__metadata__":null})"), "null came in the header"},
      {bytes_of(R"({"__metadata__":{"k":1}})"),
       "a number came in __metadata__, key 'k'; needed strings only"},
      {bytes_of(R"({"__metadata__":{"k":{}}})"), "an object came in __metadata__"},
      {bytes_of(R"({"a":{"dtype":7}})"), "a number came in tensor 'a', key 'dtype'; needed a string"},
      {bytes_of(R"({"a":{"shape":"x"}})"), "a string came in tensor 'a', key 'shape'"},
      {bytes_of(R"({"a":{"shape":{}}})"), "an object came in tensor 'a'"},
      {bytes_of(R"({"a":{"shape":[[1]]}})"), "an array came in tensor 'a'"},
      {bytes_of(R"({"a":{"dtype":["F32"]}})"), "an array came in tensor 'a', key 'dtype'"},
      {bytes_of(R"({"a":{"shape":[-1]}})"), "a negative number came in tensor 'a', key 'shape'"},
      {bytes_of(R"({"a":{"shape":[1.0]}})"), "no whole number below 2^64"},
      {bytes_of(R"({"a":{"shape":[18446744073709551616]}})"), "no whole number below 2^64"},
      {bytes_of(R"({"a":{"shape":[true]}})"), "true or false came"},
      // tensors
      {bytes_of(header(tensor("a", "I64", "[1]", "[0,8]")), k8),
       "tensor 'a' has dtype 'I64'; needed F32, F64"},
      {bytes_of(header(tensor("a", "F32", "[1,1,1,1,2]", "[0,8]")), k8),
       "tensor 'a' has 5 axes; needed at most 4"},
      {bytes_of(header(tensor("a", "F32", "[2147483648]", "[0,8589934592]")), k8), "extents below 2^31"},
      {bytes_of(header(tensor("a", "F32", "[2147483647,2147483647,4,1]", "[0,0]"))),
       "a product of less than 2^63"},
      {bytes_of(header(tensor("a", "F32", "[2147483647,2147483647,2,0]", "[0,0]"))),
       "a product of less than 2^63"},
      {bytes_of(header(tensor("a", "F64", "[2147483647,2147483647]", "[0,8]")), k8),
       "a product of less than 2^63"},
      {bytes_of(header(tensor("a", "F32", "[3]", "[0,8]")), k8),
       "has data_offsets 0 to 8; needed a difference of 12"},
      {bytes_of(header(tensor("a", "F32", "[1]", "[8,4]")), k8),
       "begins at 8 where the one before ends at 0"},
      {bytes_of(header(tensor("a", "F32", "[1]", "[0]")), k8), "1 data_offsets came in tensor 'a'; needed 2"},
      {bytes_of(header(tensor("a", "F32", "[1]", "[0,4,8]")), k8), "3 data_offsets came"},
      // layout
      {bytes_of(header(tensor("a", "F32", "[1]", "[4,8]")), k8),
       "'a' begins at 4 where the one before ends at 0; needed no hole"},
      {bytes_of(header(tensor("b", "F32", "[1]", "[8,12]") + "," + tensor("a", "F32", "[1]", "[0,4]")), k16),
       "'b' begins at 8 where the one before ends at 4; needed no hole"},
      {bytes_of(header(tensor("b", "F32", "[2]", "[4,12]") + "," + tensor("a", "F32", "[2]", "[0,8]")), k16),
       "'b' begins at 4 where the one before ends at 8; needed no overlap"},
      {bytes_of(header(tensor("b", "F32", "[2]", "[0,8]") + "," + tensor("a", "F32", "[2]", "[0,8]")), k8),
       "needed no overlap"},
      {bytes_of(one, k16), "16 bytes of numbers came; needed 8"},
      {bytes_of(one, "xxxx"), "4 bytes of numbers came; needed 8"},
      {bytes_of("{}", "x"), "1 bytes of numbers came; needed 0"},
  };
  for (const Case& c : cases) {
    const std::string message = refusal(c.bytes);
    INFO(message);
    CHECK(message.find(c.message) != message.npos);
    CHECK(message.find("x.safetensors: ") != message.npos);
  }
}

TEST_CASE("mutated files are read or refused, never anything else") {
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
      R"("b":{"dtype":"F64","shape":[],"data_offsets":[8,16]},"c":{"dtype":"BF16","shape":[0,4],"data_offsets":[16,16]}})";
  const std::string whole = bytes_of(header, k16);
  REQUIRE(refusal(whole) == "accepted");
  const char* pieces[] = {"{",          "}",          "[",
                          "]",          "\"",         ",",
                          ":",          "0",          "-",
                          "9999999999", "e9",         "\\u00",
                          "F16",        "\"a\":",     "null",
                          "\n",         "\"shape\":", "[0,8]",
                          "1.5",        "2147483647", " ",
                          "\x80",       "{{",         "\"dtype",
                          "true",       "/*",         "\"__metadata__\":",
                          "[[[[[[",     "F64\"",      ",,"};
  Generator generator(99);
  int accepted = 0, refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text = header, data = k16;
    for (std::uint64_t edits = 1 + generator.below(4); edits > 0; --edits) {
      const std::size_t at = generator.below(text.size() + 1);
      const std::size_t count = std::min(text.size() - at, static_cast<std::size_t>(generator.below(6)));
      switch (generator.below(4)) {
        case 0:
          text.erase(at, count);
          break;
        case 1:
          text.insert(at, pieces[generator.below(std::size(pieces))]);
          break;
        case 2:
          text.replace(at, count, 1, static_cast<char>(generator.below(256)));
          break;
        default:
          text.replace(at, count, std::to_string(generator.below(40)));
      }
    }
    std::string bytes = bytes_of(text, data);
    if (generator.below(8) == 0) bytes[generator.below(8)] = static_cast<char>(generator.below(256));
    if (generator.below(8) == 0) bytes.resize(generator.below(bytes.size() + 1));
    try {
      const SafeTensors in = parse(bytes);
      std::size_t total = 0;
      for (const NamedTensor& n : in.tensors) total += n.tensor.bytes();
      CHECK(total <= 32);
      ++accepted;
    } catch (const Error&) {
      ++refused;
    }
  }
  CHECK(accepted > 20);
  CHECK(refused > 10'000);
}

TEST_CASE("a header may be deep and long without harm") {
  CHECK(refusal(bytes_of(std::string("{\"a\":").append(2'000'000, '[') + "}")).find("an array came") !=
        std::string::npos);
  std::string many = "{";
  for (int i = 0; i < 20'000; ++i)
    many +=
        (i ? ",\"t" : "\"t") + std::to_string(i) + R"(":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
  CHECK(parse(bytes_of(many + "}")).tensors.size() == 20'000);
  const std::string message = refusal(bytes_of(std::string("{\"").append(100'000, 'n') + "\":1}"));
  CHECK(message.size() < 400);
  CHECK(message.find('\n') == message.npos);
}

TEST_CASE("a model is saved and loaded by name") {
  Folder folder;
  const std::string path = folder.file("model.safetensors");
  Model model;
  for (Index i = 0; i < 6; ++i) model.w.value().set(i, 0.1 * static_cast<double>(i));
  model.b.value().fill(-1);
  const Model& constant = model;
  save(constant, path, {{"epoch", "3"}});

  Model other;
  convert(other, f64);
  const auto leaf = other.w.leaf();
  CHECK(load(other, path).at("epoch") == "3");
  CHECK(other.w.leaf() == leaf);
  CHECK(other.w.value().dtype() == f64);
  CHECK(other.w.value().to(f32).values() == model.w.value().values());
  CHECK(other.b.value().values() == model.b.value().values());
}

TEST_CASE("a file of another model names all that differs, and changes nothing") {
  Folder folder;
  const std::string path = folder.file("model.safetensors");
  SafeTensors out;
  out.tensors.push_back({"w", Tensor(Shape{3, 2})});
  out.tensors.push_back({"bias", Tensor(Shape{3})});
  out.tensors.push_back({"extra", Tensor(Shape{3})});
  write_safetensors(path, out);
  Model model;
  model.b.value().fill(5);
  const auto message =
      "model.safetensors: missing: 'b'; superfluous: 'bias', 'extra'; of another shape: 'w' is [3, 2], "
      "not [2, 3]; needed the same";
  CHECK_THROWS_WITH_AS(load(model, path), Contains(message), Error);
  CHECK_THROWS_WITH_AS(load(model, path), Contains("safetensors_test.cpp"), Error);
  CHECK(model.b.value().at(0) == 5);
}

TEST_CASE("files that cannot be read") {
  Folder folder;
  CHECK_THROWS_WITH_AS(read_safetensors(folder.file("none")), Contains("none: reading failed: No such file"),
                       Error);
  CHECK_THROWS_WITH_AS(read_safetensors(folder.path), Contains("something that is not a file came"), Error);
  put(folder.file("short"), "123");
  CHECK_THROWS_WITH_AS(read_safetensors(folder.file("short")),
                       Contains("short: no safetensors file: a file of 3 bytes came"), Error);
}

TEST_CASE("what cannot be written leaves the old file and no other") {
  Folder folder;
  const std::string path = folder.file("model.safetensors");
  put(path, "the old one");
  auto unharmed = [&] { return content(path) == "the old one" && folder.count() == 1; };

  SafeTensors twice;
  twice.tensors.push_back({"a", Tensor(Shape{1})});
  twice.tensors.push_back({"a", Tensor(Shape{1})});
  CHECK_THROWS_WITH_AS(write_safetensors(path, twice), Contains("two tensors called 'a' came"), Error);
  CHECK(unharmed());
  SafeTensors reserved;
  reserved.tensors.push_back({"__metadata__", Tensor(Shape{1})});
  CHECK_THROWS_AS(write_safetensors(path, reserved), Error);
  SafeTensors latin;
  latin.metadata["k"] = "\xE9";
  CHECK_THROWS_WITH_AS(write_safetensors(path, latin), Contains("not UTF-8"), Error);
  CHECK(unharmed());

  // A full disk, as far as this process can tell: no file may pass 1,000 bytes.
  SafeTensors large;
  large.tensors.push_back({"a", Tensor(Shape{1000})});
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit tight{1000, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &tight);
  std::string message = "no error";
  try {
    write_safetensors(path, large);
  } catch (const Error& e) {
    message = e.what();
  }
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(message.find("model.safetensors: writing failed: File too large") != message.npos);
  CHECK(unharmed());

  CHECK_THROWS_WITH_AS(write_safetensors(folder.file("no/such/folder"), large),
                       Contains("creating a temporary file beside it failed: No such file"), Error);
  files::create_directory(folder.file("taken"));
  put(folder.file("taken/x"), "");
  CHECK_THROWS_WITH_AS(write_safetensors(folder.file("taken"), large),
                       Contains("is no regular file; needed a new name or a file"), Error);
  CHECK(folder.count() == 2);
  write_safetensors(path, large);
  CHECK(read_safetensors(path).find("a")->size() == 1000);
}
