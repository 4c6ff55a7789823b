#include "autograd/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

namespace unroll::autograd {

namespace {

// No other live process or thread has this name; one left by a crash is passed over.
std::string temporary_name(const std::string& path) {
  static std::atomic<unsigned> count{0};
  return fmt::format("{}.{}-{}.partial", path, ::getpid(), count++);
}

// A rename is on the disk when its folder is.
int sync_folder_of(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  const int file = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return errno;
  // Some file systems cannot sync a folder and say so with EINVAL.
  const int error = ::fsync(file) == 0 || errno == EINVAL ? 0 : errno;
  ::close(file);
  return error;
}

}  // namespace

AtomicFile::AtomicFile(std::string path, Where where) : path_(std::move(path)), where_(where) {
  std::error_code unknown;
  if (std::filesystem::is_symlink(path_, unknown))
    if (const auto target = std::filesystem::canonical(path_, unknown); !unknown) path_ = target.string();
  if (std::filesystem::exists(path_, unknown) && !std::filesystem::is_regular_file(path_, unknown))
    autograd::fail("write", fmt::format("{} is no regular file; needed a new name or a file", path_), where_);
  do {
    temporary_ = temporary_name(path_);
    file_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (file_ < 0 && errno == EEXIST);
  if (file_ < 0) fail("creating a temporary file beside it", errno);
}

AtomicFile::~AtomicFile() {
  if (file_ >= 0) ::close(file_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("writing", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void AtomicFile::commit() {
  if (::fsync(file_) != 0) fail("writing it to the disk", errno);
  close_file();
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) fail("putting it in place", errno);
  temporary_.clear();
  if (const int error = sync_folder_of(path_)) fail("writing its folder to the disk", error);
}

void AtomicFile::close_file() {
  const int file = file_;
  file_ = -1;
  if (::close(file) != 0) fail("closing", errno);
}

void AtomicFile::fail(const char* action, int error) const {
  autograd::fail("write",
                 fmt::format("{}: {} failed: {}", path_, action, std::generic_category().message(error)),
                 where_);
}

void replace_file(const std::string& path, std::string_view text, Where where) {
  AtomicFile file(path, where);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

}  // namespace unroll::autograd
