#include "autograd/system/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

namespace unroll::autograd {

namespace {

constexpr std::string_view kEnd = ".partial";

// No other live process or thread has this name.
std::string temporary_name(const std::string& path) {
  static std::atomic<unsigned> count{0};
  return fmt::format("{}.{}-{}{}", path, ::getpid(), count++, kEnd);
}
bool is_temporary_name(std::string_view name, std::string_view of) {
  if (!name.starts_with(of) || !name.ends_with(kEnd) || name.size() < of.size() + kEnd.size()) return false;
  const std::string_view numbers = name.substr(of.size(), name.size() - of.size() - kEnd.size());
  return numbers.starts_with('.') && numbers.find_first_not_of("0123456789-", 1) == numbers.npos;
}

std::filesystem::path folder_of(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  return folder.empty() ? "." : folder;
}

// Who writes a temporary file holds its lock; one without was left by a process that was killed.
void remove_abandoned(const std::string& path) {
  const std::string name = std::filesystem::path(path).filename().string();
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder_of(path), error), end; !error && it != end;
       it.increment(error)) {
    if (!is_temporary_name(it->path().filename().string(), name)) continue;
    const int file = ::open(it->path().c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0) continue;
    if (::flock(file, LOCK_EX | LOCK_NB) == 0) ::unlink(it->path().c_str());
    ::close(file);
  }
}

// False if another process took the file for abandoned in the moment before it was locked. A file system
// without locks has none to take, and nothing is ever removed there.
bool lock(int file) {
  struct ::stat status {};
  if (::flock(file, LOCK_EX | LOCK_NB) != 0) return errno != EWOULDBLOCK;
  return ::fstat(file, &status) != 0 || status.st_nlink > 0;
}

// A rename is on the disk when its folder is.
int sync_folder_of(const std::string& path) {
  const int file = ::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return errno;
  // Some file systems cannot sync a folder and say so with EINVAL.
  const int error = ::fsync(file) == 0 || errno == EINVAL ? 0 : errno;
  ::close(file);
  return error;
}

}  // namespace

AtomicFile::AtomicFile(std::string path, SourceLocation location)
    : path_(std::move(path)), location_(location) {
  std::error_code unknown;
  if (std::filesystem::is_symlink(path_, unknown))
    if (const auto target = std::filesystem::canonical(path_, unknown); !unknown) path_ = target.string();
  if (std::filesystem::exists(path_, unknown) && !std::filesystem::is_regular_file(path_, unknown))
    autograd::fail("write", fmt::format("{} is no regular file; needed a new name or a file", path_),
                   location_);
  remove_abandoned(path_);
  for (;;) {
    temporary_ = temporary_name(path_);
    file_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file_ < 0 && errno != EEXIST) fail("creating a temporary file beside it", errno);
    if (file_ >= 0 && lock(file_)) return;
    if (file_ >= 0) ::close(file_);
  }
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
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) fail("putting it in place", errno);
  temporary_.clear();
  if (const int error = sync_folder_of(path_)) fail("writing its folder to the disk", error);
}

void AtomicFile::fail(const char* action, int error) const {
  autograd::fail("write",
                 fmt::format("{}: {} failed: {}", path_, action, std::generic_category().message(error)),
                 location_);
}

void replace_file(const std::string& path, std::string_view text, SourceLocation location) {
  AtomicFile file(path, location);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

}  // namespace unroll::autograd
