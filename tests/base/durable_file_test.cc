#include "base/durable_file.h"

#include <cerrno>
#include <set>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/expect_error.h"
#include "support/temporary_directory.h"

namespace {

// What the system calls below do instead of their work; they stand before libc's in this program.
int fsync_error = 0;
int write_error = 0;
int rename_error = 0;
int exchange_error = 0;
std::vector<std::string> calls;

template <typename... Arguments>
long call(int error_number, long number, Arguments... arguments) {
  if (error_number == 0) return ::syscall(number, arguments...);
  errno = error_number;
  return -1;
}

}  // namespace

extern "C" int fsync(int descriptor) {
  calls.push_back("fsync");
  return static_cast<int>(call(fsync_error, SYS_fsync, descriptor));
}
extern "C" ssize_t write(int descriptor, const void* bytes, size_t count) {
  return call(write_error, SYS_write, descriptor, bytes, count);
}
extern "C" int rename(const char* from, const char* to) noexcept {
  calls.push_back("rename");
  return static_cast<int>(call(rename_error, SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}
extern "C" int renameat2(
    int from_dir, const char* from, int to_dir, const char* to, unsigned flags) noexcept {
  calls.push_back("exchange");
  return static_cast<int>(call(exchange_error, SYS_renameat2, from_dir, from, to_dir, to, flags));
}

namespace prescript {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class DurableFile : public ::testing::Test {
 protected:
  ~DurableFile() override { fsync_error = write_error = rename_error = exchange_error = 0; }

  std::set<std::string> names() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(dir.path()))
      names.insert(entry.path().filename());
    return names;
  }

  TemporaryDirectory dir;
};

TEST_F(DurableFile, ReadsBackWhatWasWritten) {
  const std::string bytes("a\0b\n", 4);
  write_file_durably(dir / "file", bytes);
  EXPECT_EQ(read_file(dir / "file", 4), bytes);
  struct stat status {};
  ASSERT_EQ(::stat((dir / "file").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  write_file_durably(dir / "file", "new", 0644);
  EXPECT_EQ(read_file(dir / "file", 3), "new");
  ASSERT_EQ(::stat((dir / "file").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0644u);
  EXPECT_EQ(names(), std::set<std::string>{"file"});
}

TEST_F(DurableFile, SyncsTheFileBeforeAndTheDirectoryAfterTheRename) {
  calls.clear();
  write_file_durably(dir / "file", "text");
  EXPECT_THAT(calls, ElementsAre("fsync", "rename", "fsync"));
}

TEST_F(DurableFile, ReadRefusesWhatItCannotRead) {
  expect_input_error(
      ExitCode::kData, "absent: cannot open: No such file", [&] { read_file(dir / "absent", 9); });
  expect_input_error(
      ExitCode::kModel, "Is a directory", [&] { read_file(dir.path(), 9, ExitCode::kModel); });
  dir.write("long", "12345");
  expect_input_error(ExitCode::kData, "more than 4 bytes", [&] { read_file(dir / "long", 4); });
  expect_input_error(ExitCode::kData, "more than 4 bytes", [&] { read_file("/dev/zero", 4); });
}

TEST_F(DurableFile, WriteIntoAMissingDirectoryIsTheUsersMistake) {
  expect_input_error(
      ExitCode::kUsage, "No such file", [&] { write_file_durably(dir / "absent/file", "x"); });
}

TEST_F(DurableFile, FailedWriteKeepsTheOldFileAndLeavesNothingBehind) {
  write_file_durably(dir / "file", "old");
  for (int* error : {&write_error, &fsync_error, &rename_error}) {
    *error = ENOSPC;
    const auto attempt = [&] { write_file_durably(dir / "file", "new"); };
    EXPECT_THAT(attempt, ThrowsMessage<DeviceError>(HasSubstr("No space left on device")));
    EXPECT_THAT(attempt, ThrowsMessage<DeviceError>(HasSubstr(dir / "file")));
    *error = 0;
    EXPECT_EQ(read_file(dir / "file", 9), "old");
    EXPECT_EQ(names(), std::set<std::string>{"file"});
  }
}

class PublishDirectory : public DurableFile {
 protected:
  /// A directory with one file and one subdirectory, ready to be published as `out`.
  std::string fill(const std::string& text) {
    const std::string tmp = unpublished_path(dir / "out");
    fs::create_directories(tmp + "/sub");
    dir.write("out" + std::string(kUnpublishedSuffix) + "/a", text);
    dir.write("out" + std::string(kUnpublishedSuffix) + "/sub/b", text);
    return tmp;
  }
  std::string published() const {
    return read_file(dir / "out/a", 99) + read_file(dir / "out/sub/b", 99);
  }
};

TEST_F(PublishDirectory, AppearsWholeAfterItsFilesAreSynced) {
  const std::string tmp = fill("1");
  calls.clear();
  publish_directory(tmp, dir / "out/");
  EXPECT_THAT(calls, ElementsAre("fsync", "fsync", "fsync", "fsync", "rename", "fsync"));
  EXPECT_EQ(published(), "11");
  EXPECT_EQ(names(), std::set<std::string>{"out"});
}

TEST_F(PublishDirectory, ReplacesAnOldOneInOneStep) {
  publish_directory(fill("1"), dir / "out");
  const std::string tmp = fill("2");
  calls.clear();
  publish_directory(tmp, dir / "out");
  EXPECT_THAT(calls, ElementsAre("fsync", "fsync", "fsync", "fsync", "exchange", "fsync"));
  EXPECT_EQ(published(), "22");
  EXPECT_EQ(names(), std::set<std::string>{"out"});
}

TEST_F(PublishDirectory, ReplacesAlsoWhereTheFileSystemCannotExchange) {
  publish_directory(fill("1"), dir / "out");
  exchange_error = EINVAL;
  publish_directory(fill("2"), dir / "out");
  EXPECT_EQ(published(), "22");
  EXPECT_EQ(names(), std::set<std::string>{"out"});
}

TEST_F(PublishDirectory, FailureKeepsTheOldOne) {
  publish_directory(fill("1"), dir / "out");
  for (int* error : {&fsync_error, &exchange_error}) {
    const std::string tmp = fill("2");
    *error = EIO;
    EXPECT_THROW(publish_directory(tmp, dir / "out"), DeviceError);
    *error = 0;
    EXPECT_EQ(published(), "11");
    remove_unpublished(dir.path());
    EXPECT_EQ(names(), std::set<std::string>{"out"});
  }
}

TEST_F(PublishDirectory, CrashBetweenTwoRenamesIsHealed) {
  publish_directory(fill("1"), dir / "out");
  fill("2");
  fs::rename(dir / "out", dir / "out.prescript-previous");  // where the fall-back may be killed
  remove_unpublished(dir.path());
  EXPECT_EQ(published(), "11");
  EXPECT_EQ(names(), std::set<std::string>{"out"});
}

TEST_F(DurableFile, RemoveUnpublishedTouchesNothingElse) {
  dir.write("kept", "");
  dir.write("kept.tmp", "");
  dir.write("file.abcdef.prescript-tmp", "");
  fs::create_directories(dir / "folder.prescript-tmp/sub");
  remove_unpublished(dir.path());
  EXPECT_EQ(names(), (std::set<std::string>{"kept", "kept.tmp"}));
  EXPECT_NO_THROW(remove_unpublished(dir / "absent"));
}

TEST_F(DurableFile, SecondHolderOfADirectoryIsRefused) {
  {
    const DirectoryLock lock(dir.path());
    expect_input_error(
        ExitCode::kUsage, dir.path() + ": another run", [&] { DirectoryLock second(dir.path()); });
  }
  EXPECT_NO_THROW(DirectoryLock(dir.path()));
  expect_input_error(
      ExitCode::kUsage, "absent: cannot lock", [&] { DirectoryLock lock(dir / "absent"); });
}

TEST_F(DurableFile, LockEndsWithItsProcess) {
  const pid_t child = ::fork();
  if (child == 0) {
    new DirectoryLock(dir.path());
    ::_exit(0);
  }
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_NO_THROW(DirectoryLock(dir.path()));
}

}  // namespace
}  // namespace prescript
