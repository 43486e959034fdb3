#include "io/mapped_file.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <utility>

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_error.h"
#include "io/lfs_pointer.h"

namespace prescript {
namespace {

/// What the signal handler may read: only atomics, since it interrupts any thread at any place. A
/// mapping that finds no free slot works all the same, but its message cannot name the file.
struct Slot {
  std::atomic<uintptr_t> begin{0};
  std::atomic<uintptr_t> end{0};
  std::atomic<const char*> path{nullptr};
};
std::array<Slot, 1024> slots;

void say(const char* text) {
  // Nothing can be done in a signal handler when stderr is gone.
  if (::write(STDERR_FILENO, text, std::strlen(text)) < 0) return;
}

/// Reached when a page of a mapping has no file behind it any more. The read cannot be completed or
/// undone.
void on_bus_error(int, siginfo_t* info, void*) {
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  for (const Slot& slot : slots) {
    const char* path = slot.path.load();
    if (path == nullptr || address < slot.begin.load() || address >= slot.end.load()) continue;
    say("prescript: error: ");
    say(path);
    say(": the file was cut or could not be read while it was in use; restore it and run again\n");
    ::_exit(static_cast<int>(ExitCode::kModel));
  }
  ::signal(SIGBUS, SIG_DFL);  // not ours: the instruction runs again and ends the process as usual
}

void install_handler() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action {};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGBUS, &action, nullptr);
  });
}

std::mutex slots_mutex;

void add_slot(const std::byte* data, size_t size, const char* path) {
  const std::lock_guard lock(slots_mutex);
  for (Slot& slot : slots) {
    if (slot.path.load() != nullptr) continue;
    slot.begin = reinterpret_cast<uintptr_t>(data);
    slot.end = reinterpret_cast<uintptr_t>(data) + size;
    slot.path = path;
    return;
  }
}

void remove_slot(const char* path) {
  const std::lock_guard lock(slots_mutex);
  for (Slot& slot : slots)
    if (slot.path.load() == path) slot.path = nullptr;
}

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::open(const std::string& path, ExitCode code) {
  // O_NONBLOCK: opening a pipe must not wait for a writer before it is refused below.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) throw_open_error(path, "cannot open", errno, code);
  struct stat status {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    throw InputError(code, path + ": not a regular file");
  }
  const auto size = static_cast<size_t>(status.st_size);
  void* data = nullptr;
  if (size > 0) data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor, 0);
  const int error_number = errno;
  ::close(descriptor);
  if (data == MAP_FAILED) throw_file_error(path, "cannot map", error_number);
  std::shared_ptr<const MappedFile> file(
      new MappedFile(path, static_cast<const std::byte*>(data), size));
  refuse_lfs_pointer({static_cast<const char*>(data), size}, path, code);
  return file;
}

MappedFile::MappedFile(std::string path, const std::byte* data, size_t size)
    : path_(std::move(path)), data_(data), size_(size) {
  if (data_ == nullptr) return;
  install_handler();
  add_slot(data_, size_, path_.c_str());
}

MappedFile::~MappedFile() {
  if (data_ == nullptr) return;
  remove_slot(path_.c_str());
  ::munmap(const_cast<std::byte*>(data_), size_);
}

namespace {

/// A wish about the pages that hold `bytes`: without it all works as well.
void advise(std::span<const std::byte> bytes, int advice) {
  if (bytes.empty()) return;
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const uintptr_t begin = reinterpret_cast<uintptr_t>(bytes.data()) / page * page;
  const uintptr_t end = reinterpret_cast<uintptr_t>(bytes.data()) + bytes.size();
  ::madvise(reinterpret_cast<void*>(begin), end - begin, advice);
}

}  // namespace

void release_pages(std::span<const std::byte> bytes) {
  advise(bytes, MADV_DONTNEED);
}

void read_ahead_pages(std::span<const std::byte> bytes) {
  advise(bytes, MADV_WILLNEED);
}

}  // namespace prescript
