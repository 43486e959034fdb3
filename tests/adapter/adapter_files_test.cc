#include "adapter/adapter_files.h"

#include <cerrno>
#include <cmath>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "adapter/small_adapter.h"
#include "base/durable_file.h"
#include "support/expect_error.h"

namespace {

// What the system calls below do instead of their work; they stand before libc's in this program.
int mkdir_error = 0;
int calls_until_failure = 0;  // the call that finds 1 here meets a full disk

template <typename... Arguments>
long call(long number, Arguments... arguments) {
  if (calls_until_failure == 0 || --calls_until_failure > 0) return ::syscall(number, arguments...);
  errno = ENOSPC;
  return -1;
}

}  // namespace

extern "C" int mkdir(const char* path, mode_t mode) noexcept {
  if (mkdir_error == 0) return static_cast<int>(call(SYS_mkdir, path, mode));
  errno = mkdir_error;
  return -1;
}
extern "C" int fsync(int descriptor) {
  return static_cast<int>(call(SYS_fsync, descriptor));
}
extern "C" ssize_t write(int descriptor, const void* bytes, size_t count) {
  return call(SYS_write, descriptor, bytes, count);
}
extern "C" int rename(const char* from, const char* to) noexcept {
  return static_cast<int>(call(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}
extern "C" int renameat2(
    int from_dir, const char* from, int to_dir, const char* to, unsigned flags) noexcept {
  return static_cast<int>(call(SYS_renameat2, from_dir, from, to_dir, to, flags));
}

namespace prescript {
namespace {

namespace fs = std::filesystem;

std::map<std::string, std::string> files_in(const std::string& dir) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::directory_iterator(dir))
    files[entry.path().filename()] = bytes_of_file(entry.path());
  return files;
}

std::vector<std::string> names_in(const std::string& dir) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(dir)) names.push_back(entry.path().filename());
  return names;
}

mode_t mode_of(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 0777;
}

TEST(AdapterFiles, AtTheStartAreThoseOfPeft) {
  const auto files = adapter_files(small_adapter());
  ASSERT_EQ(files.size(), 3u);
  EXPECT_TRUE(files.contains("adapter_config.json"));
  EXPECT_TRUE(files.contains("prescript.json"));
  // The tensor's file ends in its values.
  const auto& tensor = files.at("adapter_model.safetensors");
  const auto values = small_adapter().prompt.values_PD;
  EXPECT_EQ(tensor.substr(tensor.size() - 24),
            std::string(reinterpret_cast<const char*>(values.data()), 24));
}

TEST(AdapterFiles, ElsewherePeftFindsNothingToLoad) {
  for (const auto position : {PromptPosition::kAfterBos, PromptPosition::kBeforeQuestion}) {
    const auto files = adapter_files(small_adapter(position));
    ASSERT_EQ(files.size(), 2u);
    EXPECT_TRUE(files.contains("soft_prompt.safetensors"));
    EXPECT_TRUE(files.contains("prescript.json"));
  }
}

TEST(AdapterFiles, ValuesThatAreNotFiniteAreNotWritten) {
  Adapter adapter = small_adapter();
  adapter.prompt.values_PD[4] = std::nanf("");
  expect_input_error(
      ExitCode::kNotFinite, "virtual token 1, column 1", [&] { adapter_files(adapter); });
  const TemporaryDirectory dir;
  EXPECT_THROW(publish_adapter(adapter, dir / "a"), InputError);
  EXPECT_TRUE(names_in(dir.path()).empty());
}

TEST(AdapterFiles, ARoundTripGivesTheSameBytes) {
  const TemporaryDirectory dir;
  for (const auto position :
       {PromptPosition::kStart, PromptPosition::kAfterBos, PromptPosition::kBeforeQuestion}) {
    publish_adapter(small_adapter(position), dir / "a");
    EXPECT_EQ(files_in(dir / "a"), adapter_files(small_adapter(position)));
    publish_adapter(read_adapter(dir / "a"), dir / "elsewhere");
    EXPECT_EQ(files_in(dir / "elsewhere"), files_in(dir / "a"));
  }
}

TEST(AdapterFiles, ArePrivate) {
  const TemporaryDirectory dir;
  publish_adapter(small_adapter(), dir / "a");
  EXPECT_EQ(mode_of(dir / "a"), 0700u);
  for (const std::string& name : names_in(dir / "a")) EXPECT_EQ(mode_of(dir / "a/" + name), 0600u);
}

TEST(AdapterFiles, ReplaceAnAdapterAndAllThatIsOfIt) {
  const TemporaryDirectory dir;
  publish_adapter(small_adapter(PromptPosition::kAfterBos), dir / "a");
  publish_adapter(small_adapter(), dir / "a/");
  EXPECT_EQ(files_in(dir / "a"), adapter_files(small_adapter()));
  EXPECT_EQ(names_in(dir.path()), std::vector<std::string>{"a"});
}

TEST(AdapterFiles, NeverReplaceWhatIsNoAdapter) {
  const TemporaryDirectory dir;
  fs::create_directory(dir / "full");
  dir.write("full/thesis.tex", "x");
  dir.write("file", "y");
  for (const char* name : {"full", "file"}) {
    expect_input_error(
        ExitCode::kUsage, "would delete it", [&] { publish_adapter(small_adapter(), dir / name); });
  }
  EXPECT_EQ(bytes_of_file(dir / "full/thesis.tex"), "x");
  EXPECT_EQ(bytes_of_file(dir / "file"), "y");
  fs::create_directory(dir / "empty");
  publish_adapter(small_adapter(), dir / "empty");
  EXPECT_EQ(read_adapter(dir / "empty").prompt.num_virtual_tokens, 2);
}

TEST(AdapterFiles, WhatAKilledRunLeftIsReplaced) {
  const TemporaryDirectory dir;
  fs::create_directory(unpublished_path(dir / "a"));
  dir.write(fs::path(unpublished_path("a") + "/adapter_config.json"), "half");
  publish_adapter(small_adapter(), dir / "a");
  EXPECT_EQ(names_in(dir.path()), std::vector<std::string>{"a"});
  EXPECT_EQ(files_in(dir / "a"), adapter_files(small_adapter()));
}

TEST(AdapterFiles, AMissingParentIsAUsageError) {
  const TemporaryDirectory dir;
  expect_input_error(
      ExitCode::kUsage, "none/a", [&] { publish_adapter(small_adapter(), dir / "none/a"); });
  EXPECT_TRUE(names_in(dir.path()).empty());
  dir.write("file", "x");
  expect_input_error(
      ExitCode::kUsage, "file/a", [&] { publish_adapter(small_adapter(), dir / "file/a"); });
}

TEST(AdapterFiles, AParentThatCannotBeWrittenIsAUsageError) {
  const TemporaryDirectory dir;
  mkdir_error = EROFS;  // not by permissions, which root does not feel
  expect_input_error(ExitCode::kUsage, "Read-only file system", [&] {
    publish_adapter(small_adapter(), dir / "a");
  });
  mkdir_error = 0;
  EXPECT_TRUE(names_in(dir.path()).empty());
}

TEST(AdapterFiles, AFullDiskLeavesTheOldAdapterOrTheNewOne) {
  const TemporaryDirectory dir;
  const auto old_files = adapter_files(small_adapter(PromptPosition::kAfterBos));
  const auto new_files = adapter_files(small_adapter());
  int failures = 0;
  for (bool failed = true; failed;) {
    publish_adapter(small_adapter(PromptPosition::kAfterBos), dir / "a");
    calls_until_failure = ++failures;
    failed = false;
    try {
      publish_adapter(small_adapter(), dir / "a");
    } catch (const DeviceError& error) {
      failed = true;
      EXPECT_EQ(error.code(), ExitCode::kResources);
    }
    calls_until_failure = 0;
    EXPECT_EQ(names_in(dir.path()), std::vector<std::string>{"a"}) << "call " << failures;
    const auto found = files_in(dir / "a");
    EXPECT_TRUE(found == new_files || (failed && found == old_files)) << "call " << failures;
  }
  // Of each of three files at least a write, two syncs and a rename; then the directory's.
  EXPECT_GT(failures, 12);
}

}  // namespace
}  // namespace prescript
