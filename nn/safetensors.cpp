#include "nn/safetensors.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>
#include <system_error>

#include "autograd/system/atomic_file.h"
#include "nn/safetensors_header.h"

namespace unroll::nn {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

namespace {

[[noreturn]] void complain(std::string_view file, std::string_view message, SourceLocation location) {
  autograd::fail("safetensors", fmt::format("{}: {}", file, message), location);
}

// -- Where bytes come from. Both have size() and read(offset, bytes).

class Memory {
 public:
  explicit Memory(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::uint64_t size() const { return bytes_.size(); }
  void read(std::uint64_t offset, std::span<std::byte> into) const {
    std::ranges::copy(bytes_.subspan(offset, into.size()), into.begin());
  }

 private:
  std::span<const std::byte> bytes_;
};

class File {
 public:
  File(const std::string& path, SourceLocation location) : path_(path), location_(location) {
    file_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file_ < 0) fail_with(errno);
    struct stat status {};
    const bool known = ::fstat(file_, &status) == 0;
    if (known && S_ISREG(status.st_mode)) {
      size_ = static_cast<std::uint64_t>(status.st_size);
      return;
    }
    const int error = errno;
    ::close(file_);
    if (!known) fail_with(error);
    complain(path, "something that is not a file came; needed a file", location);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { ::close(file_); }

  std::uint64_t size() const { return size_; }
  void read(std::uint64_t offset, std::span<std::byte> into) const {
    while (!into.empty()) {
      const ssize_t count = ::pread(file_, into.data(), into.size(), static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail_with(errno);
      if (count == 0) complain(path_, "the file became shorter while it was read", location_);
      into = into.subspan(static_cast<std::size_t>(count));
      offset += static_cast<std::uint64_t>(count);
    }
  }

 private:
  [[noreturn]] void fail_with(int error) const {
    complain(path_, fmt::format("reading failed: {}", std::generic_category().message(error)), location_);
  }
  const std::string& path_;
  SourceLocation location_;
  int file_;
  std::uint64_t size_ = 0;
};

// -- 16-bit numbers.

float from_f16(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  float x;
  if (exponent == 31)
    x = mantissa ? std::numeric_limits<float>::quiet_NaN() : std::numeric_limits<float>::infinity();
  else
    x = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -24)
                      : std::ldexp(static_cast<float>(1024 + mantissa), exponent - 25);
  return bits & 0x8000 ? -x : x;
}
float from_bf16(std::uint16_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

// -- Reading.

Shape shape_of(const std::vector<std::uint64_t>& extents) {
  auto at = [&](std::size_t i) { return static_cast<Index>(extents[i]); };
  switch (extents.size()) {
    case 0:
      return Shape{};
    case 1:
      return Shape{at(0)};
    case 2:
      return Shape{at(0), at(1)};
    case 3:
      return Shape{at(0), at(1), at(2)};
    default:
      return Shape{at(0), at(1), at(2), at(3)};
  }
}

template <class Bytes>
Tensor read_tensor(const Bytes& bytes, std::uint64_t data, const HeaderEntry& entry) {
  Tensor tensor(shape_of(entry.shape), entry.dtype == "F64" ? DType::f64 : DType::f32);
  if (entry.dtype == "F64" || entry.dtype == "F32") {
    bytes.read(data + entry.begin, {tensor.raw(), tensor.bytes()});
    return tensor;
  }
  std::vector<std::uint16_t> halves(static_cast<std::size_t>(tensor.size()));
  bytes.read(data + entry.begin, std::as_writable_bytes(std::span(halves)));
  std::ranges::transform(halves, tensor.span<float>().begin(), entry.dtype == "F16" ? from_f16 : from_bf16);
  return tensor;
}

template <class Bytes>
SafeTensors read(const Bytes& bytes, std::string_view file, SourceLocation location) {
  std::uint64_t length = 0;
  if (bytes.size() < sizeof(length))
    complain(file,
             fmt::format("no safetensors file: a file of {} bytes came; needed 8 or more", bytes.size()),
             location);
  bytes.read(0, std::as_writable_bytes(std::span(&length, 1)));
  if (length > Header::kLongest || length > bytes.size() - sizeof(length))
    complain(file,
             fmt::format(
                 "no safetensors file: a header of {} bytes came in a file of {}; needed at most {}, and 8 "
                 "less than the file",
                 length, bytes.size(), Header::kLongest),
             location);
  std::string text(length, ' ');
  bytes.read(sizeof(length), std::as_writable_bytes(std::span(text)));
  const std::uint64_t data = sizeof(length) + length;
  Header header = parse_header(text, bytes.size() - data, file, location);

  SafeTensors result;
  result.metadata = std::move(header.metadata);
  for (HeaderEntry& entry : header.tensors)
    result.tensors.push_back({std::move(entry.name), read_tensor(bytes, data, entry)});
  return result;
}

}  // namespace

const Tensor* SafeTensors::find(std::string_view name) const {
  const auto found = std::ranges::find(tensors, name, &NamedTensor::name);
  return found == tensors.end() ? nullptr : &found->tensor;
}

SafeTensors read_safetensors(const std::string& path, SourceLocation location) {
  return read(File(path, location), path, location);
}
SafeTensors parse_safetensors(std::span<const std::byte> bytes, std::string_view name,
                              SourceLocation location) {
  return read(Memory(bytes), name, location);
}

// -- Writing.

void write_safetensors(const std::string& path, std::span<const Source> tensors, const Metadata& metadata,
                       SourceLocation location) {
  std::vector<const Source*> order;
  for (const Source& s : tensors) order.push_back(&s);
  std::stable_partition(order.begin(), order.end(),
                        [](const Source* s) { return s->tensor->dtype() == DType::f64; });

  Header header;
  header.metadata = metadata;
  std::uint64_t end = 0;
  for (const Source* s : order) {
    HeaderEntry entry{s->name, s->tensor->dtype() == DType::f64 ? "F64" : "F32", {}, end, 0};
    for (int i = 0; i < s->tensor->shape().rank(); ++i)
      entry.shape.push_back(static_cast<std::uint64_t>(s->tensor->shape()[i]));
    entry.end = end += s->tensor->bytes();
    header.tensors.push_back(std::move(entry));
  }
  const std::string text = format_header(header, path, location);
  const std::uint64_t length = text.size();

  autograd::AtomicFile file(path, location);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(std::as_bytes(std::span(text)));
  for (const Source* s : order) file.write({s->tensor->raw(), s->tensor->bytes()});
  file.commit();
}

void write_safetensors(const std::string& path, const SafeTensors& content, SourceLocation location) {
  std::vector<Source> tensors;
  for (const NamedTensor& n : content.tensors) tensors.push_back({n.name, &n.tensor});
  write_safetensors(path, tensors, content.metadata, location);
}

// -- Models.

void save_parameters(std::span<const NamedParameter> parameters, const std::string& path,
                     const Metadata& metadata, SourceLocation location) {
  std::vector<Source> tensors;
  for (const auto& [name, p] : parameters) tensors.push_back({name, &std::as_const(*p).value()});
  write_safetensors(path, tensors, metadata, location);
}

Metadata load_parameters(std::span<const NamedParameter> parameters, const std::string& path,
                         SourceLocation location) {
  SafeTensors content = read_safetensors(path, location);
  std::vector<Destination> into;
  for (const auto& [name, p] : parameters) into.push_back({name, &p->change("load_parameters", location)});
  assign(content.tensors, into, "load", path, location);
  return std::move(content.metadata);
}

}  // namespace unroll::nn
