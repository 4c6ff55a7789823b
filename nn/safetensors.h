// Models as files: the safetensors format, which PyTorch and many others read and write.
//
//   save(model, "model.safetensors");
//   load(model, "model.safetensors");
//
// A file is 8 bytes with the length N of the header (little-endian), N bytes of JSON, and the values. The
// reader enforces every rule of the format: see nn/safetensors_header.h.
#pragma once
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nn/module.h"
#include "nn/named_tensor.h"

namespace unroll::nn {

using Metadata = std::map<std::string, std::string>;

struct SafeTensors {
  std::vector<NamedTensor> tensors;  // in the order in which they lie in the file
  Metadata metadata;

  /// nullptr if there is none of that name.
  const Tensor* find(std::string_view name) const;
};

/// A tensor of somebody else's that is to be written.
struct Source {
  std::string name;
  const Tensor* tensor;
};

/// Reads F32 and F64 as they are, F16 and BF16 as f32. Throws Error, with the file, the tensor and the rule,
/// for a file that cannot be read, breaks a rule of the format, or has a tensor of another dtype or of more
/// than four axes.
SafeTensors read_safetensors(const std::string& path, SourceLocation location = SourceLocation::current());
/// The same for a file in memory; `name` stands for the path in messages.
SafeTensors parse_safetensors(std::span<const std::byte> bytes, std::string_view name = "memory",
                              SourceLocation location = SourceLocation::current());

/// Replaces the file at `path` whole or not at all (autograd/system/atomic_file.h). Tensors of f64 come
/// first, so that all are aligned; otherwise their order is kept. Throws Error for a failure of the system,
/// and for a name that comes twice, is "__metadata__" or is no UTF-8.
void write_safetensors(const std::string& path, std::span<const Source> tensors,
                       const Metadata& metadata = {}, SourceLocation location = SourceLocation::current());
void write_safetensors(const std::string& path, const SafeTensors& content,
                       SourceLocation location = SourceLocation::current());

void save_parameters(std::span<const NamedParameter> parameters, const std::string& path,
                     const Metadata& metadata = {}, SourceLocation location = SourceLocation::current());
Metadata load_parameters(std::span<const NamedParameter> parameters, const std::string& path,
                         SourceLocation location = SourceLocation::current());

/// Writes all parameters of a module by their paths.
template <Module M>
void save(const M& model, const std::string& path, const Metadata& metadata = {},
          SourceLocation location = SourceLocation::current()) {
  save_parameters(parameters(const_cast<M&>(model)), path, metadata, location);  // members() only lists
}
/// Reads all parameters of a module, converted to their dtypes; returns the metadata. Throws Error, and
/// changes nothing, unless the file has these names and shapes and no others: it lists all that differ.
template <Module M>
Metadata load(M& model, const std::string& path, SourceLocation location = SourceLocation::current()) {
  return load_parameters(parameters(model), path, location);
}

}  // namespace unroll::nn

namespace unroll {
using nn::load;
using nn::Metadata;
using nn::read_safetensors;
using nn::SafeTensors;
using nn::save;
using nn::write_safetensors;
}  // namespace unroll
