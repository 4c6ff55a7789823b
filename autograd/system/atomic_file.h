// A file that is replaced whole or not at all.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "autograd/system/error.h"

namespace unroll::autograd {

/// Writes to a temporary file in the folder of `path`; commit() puts it in the place of `path`, or of
/// the file that a symbolic link there points to. Devices and folders are refused. Until then the old file
/// stays as it was, and the destructor removes the temporary; one whose process was killed is removed by the
/// next writer of that file. After commit() the new file survives a loss of power. Every failure throws Error
/// with the system's reason; only a failure of the very last act, writing the folder to the disk, finds the
/// new file in place.
class AtomicFile {
 public:
  explicit AtomicFile(std::string path, SourceLocation location = SourceLocation::current());
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  void write(std::span<const std::byte> bytes);
  void commit();

 private:
  [[noreturn]] void fail(const char* action, int error) const;

  std::string path_, temporary_;
  SourceLocation location_;
  int file_ = -1;
};

/// The whole of a text file at once.
void replace_file(const std::string& path, std::string_view text,
                  SourceLocation location = SourceLocation::current());

}  // namespace unroll::autograd
