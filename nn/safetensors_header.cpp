#include "nn/safetensors_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <tuple>
#include <unordered_set>

#include "autograd/tensor/shape.h"
#include "nn/named_tensor.h"

namespace unroll::nn {

namespace {

using Json = nlohmann::ordered_json;

/// Throws Error with the file's name before every message.
struct Complain {
  std::string_view file;
  SourceLocation location;
  [[noreturn]] void operator()(std::string_view message) const {
    autograd::fail("safetensors", fmt::format("{}: {}", file, message), location);
  }
};

// What nlohmann's parser calls as it reads. A document tree would take duplicate keys silently, and memory
// for whatever the header contains.
class Reader {
 public:
  Reader(Header& header, const Complain& complain) : header_(header), complain_(complain) {}

  bool start_object(std::size_t) {
    if (place_ == Place::start) {
      place_ = Place::root;
    } else if (place_ == Place::root && key_ == kMetadata) {
      place_ = Place::metadata;
    } else if (place_ == Place::root) {
      place_ = Place::tensor;
      header_.tensors.emplace_back().name = key_;
      fields_.clear();
    } else {
      unexpected("an object");
    }
    return true;
  }
  bool key(std::string& key) {
    auto& known = place_ == Place::root ? names_ : fields_;
    if (place_ == Place::metadata ? header_.metadata.contains(key) : !known.insert(key).second)
      complain_(fmt::format("the key {} came twice in {}; needed each once", in_quotes(key), place_name()));
    if (place_ == Place::tensor && key != "dtype" && key != "shape" && key != "data_offsets")
      complain_(fmt::format("the key {} came in {}; needed dtype, shape and data_offsets", in_quotes(key),
                            place_name()));
    key_ = key;
    return true;
  }
  bool end_object() {
    if (place_ == Place::tensor) {
      if (fields_.size() != 3)
        complain_(fmt::format("{} of 3 keys came in {}; needed dtype, shape and data_offsets", fields_.size(),
                              place_name()));
      if (offsets_.size() != 2)
        complain_(fmt::format("{} data_offsets came in {}; needed 2", offsets_.size(), place_name()));
      header_.tensors.back().begin = offsets_[0];
      header_.tensors.back().end = offsets_[1];
    }
    place_ = Place::root;
    return true;
  }
  bool start_array(std::size_t) {
    if (place_ != Place::tensor || key_ == "dtype") unexpected("an array");
    place_ = key_ == "shape" ? Place::shape : Place::offsets;
    if (place_ == Place::offsets) offsets_.clear();
    return true;
  }
  bool end_array() {
    place_ = Place::tensor;
    return true;
  }
  bool string(std::string& value) {
    if (place_ == Place::metadata)
      header_.metadata.emplace(key_, value);
    else if (place_ == Place::tensor && key_ == "dtype")
      header_.tensors.back().dtype = value;
    else
      unexpected("a string");
    return true;
  }
  bool number_unsigned(std::uint64_t value) {
    if (place_ != Place::shape && place_ != Place::offsets) unexpected("a number");
    (place_ == Place::shape ? header_.tensors.back().shape : offsets_).push_back(value);
    return true;
  }
  bool number_integer(std::int64_t) { unexpected("a negative number"); }
  bool number_float(double, const std::string&) { unexpected("a number that is no whole number below 2^64"); }
  bool null() { unexpected("null"); }
  bool boolean(bool) { unexpected("true or false"); }
  bool binary(Json::binary_t&) { unexpected("binary data"); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) {
    complain_(fmt::format("the header is no valid JSON at its byte {}; needed one object", position));
  }

 private:
  enum class Place { start, root, metadata, tensor, shape, offsets };
  static constexpr const char* kMetadata = "__metadata__";

  std::string place_name() const {
    if (place_ == Place::start || place_ == Place::root) return "the header";
    if (place_ == Place::metadata) return "__metadata__";
    return "tensor " + in_quotes(header_.tensors.back().name);
  }
  [[noreturn]] void unexpected(std::string_view what) const {
    const char* needed = place_ == Place::start      ? "an object"
                         : place_ == Place::root     ? "an object for each tensor"
                         : place_ == Place::metadata ? "strings only"
                         : place_ != Place::tensor   ? "whole numbers of 0 or more"
                         : key_ == "dtype"           ? "a string"
                                                     : "an array of whole numbers";
    const std::string key = place_ == Place::start ? "" : fmt::format(", key {}", in_quotes(key_));
    complain_(fmt::format("{} came in {}{}; needed {}", what, place_name(), key, needed));
  }

  Header& header_;
  const Complain& complain_;
  Place place_ = Place::start;
  std::string key_;
  std::unordered_set<std::string> names_, fields_;
  std::vector<std::uint64_t> offsets_;
};

std::string list(const std::vector<std::uint64_t>& shape) {
  std::string text;
  for (const std::uint64_t extent : shape) text += fmt::format("{}{}", text.empty() ? "" : ", ", extent);
  return fmt::format("[{}]", text);
}

// Bytes of the values, each product checked; at most 2^63 - 1 even where another extent is 0.
std::uint64_t checked_bytes(const HeaderEntry& entry, const Complain& complain) {
  const std::string name = in_quotes(entry.name);
  std::uint64_t bytes = element_bytes(entry.dtype);
  if (bytes == 0)
    complain(
        fmt::format("tensor {} has dtype {}; needed F32, F64, F16 or BF16", name, in_quotes(entry.dtype)));
  if (entry.shape.size() > autograd::Shape::kMaxRank)
    complain(fmt::format("tensor {} has {} axes; needed at most {}", name, entry.shape.size(),
                         autograd::Shape::kMaxRank));
  for (const std::uint64_t extent : entry.shape) {
    constexpr std::uint64_t kLargest = std::numeric_limits<std::int64_t>::max();
    if (extent > std::numeric_limits<std::int32_t>::max() || (extent > 0 && bytes > kLargest / extent))
      complain(
          fmt::format("tensor {} has shape {}; needed extents below 2^31 and a product of less than 2^63 "
                      "bytes",
                      name, list(entry.shape)));
    bytes *= extent;
  }
  return bytes;
}

void check_layout(std::vector<HeaderEntry>& tensors, std::uint64_t data_bytes, const Complain& complain) {
  std::ranges::stable_sort(tensors, {}, [](const HeaderEntry& e) { return std::pair(e.begin, e.end); });
  std::uint64_t end = 0;
  for (const HeaderEntry& entry : tensors) {
    const std::uint64_t bytes = checked_bytes(entry, complain);
    if (entry.begin != end)
      complain(fmt::format("tensor {} begins at {} where the one before ends at {}; needed no {}",
                           in_quotes(entry.name), entry.begin, end, entry.begin > end ? "hole" : "overlap"));
    if (entry.end < entry.begin || entry.end - entry.begin != bytes)
      complain(fmt::format("tensor {} of {} {} has data_offsets {} to {}; needed a difference of {}",
                           in_quotes(entry.name), entry.dtype, list(entry.shape), entry.begin, entry.end,
                           bytes));
    end = entry.end;
  }
  if (end != data_bytes)
    complain(fmt::format("{} bytes of numbers came; needed {}, where the last tensor ends", data_bytes, end));
}

}  // namespace

std::uint64_t element_bytes(std::string_view dtype) {
  return dtype == "F64" ? 8 : dtype == "F32" ? 4 : dtype == "F16" || dtype == "BF16" ? 2 : 0;
}

Header parse_header(std::string_view text, std::uint64_t data_bytes, std::string_view file,
                    SourceLocation location) {
  const Complain complain{file, location};
  const std::string_view object = text.substr(0, text.find_last_not_of(' ') + 1);
  // The parser takes a zero byte for the end of its input, and other white space for padding.
  if (!object.starts_with('{') || !object.ends_with('}') || object.find('\0') != object.npos)
    complain("a header came that is no object padded with spaces; needed '{' first and '}' last");
  Header header;
  Reader reader(header, complain);
  Json::sax_parse(object, &reader);
  check_layout(header.tensors, data_bytes, complain);
  return header;
}

std::string format_header(const Header& header, std::string_view file, SourceLocation location) {
  const Complain complain{file, location};
  Json json = Json::object();
  if (!header.metadata.empty()) json["__metadata__"] = header.metadata;
  std::unordered_set<std::string_view> names{"__metadata__"};
  for (const HeaderEntry& entry : header.tensors) {
    if (!names.insert(entry.name).second)
      complain(
          fmt::format("two tensors called {} came; needed each name once, and none called '__metadata__'",
                      in_quotes(entry.name)));
    json[entry.name] = {
        {"dtype", entry.dtype}, {"shape", entry.shape}, {"data_offsets", {entry.begin, entry.end}}};
  }
  std::string text;
  try {
    text = json.dump();
  } catch (const Json::type_error&) {
    complain("a name or metadata came that is not UTF-8; needed UTF-8");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  if (text.size() > Header::kLongest)
    complain(fmt::format("a header of {} bytes came; needed at most {}", text.size(), Header::kLongest));
  return text;
}

}  // namespace unroll::nn
