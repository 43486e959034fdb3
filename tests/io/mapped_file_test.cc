#include "io/mapped_file.h"

#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/expect_error.h"
#include "support/temporary_directory.h"

namespace prescript {
namespace {

TEST(MappedFile, ShowsTheFilesBytes) {
  const TemporaryDirectory dir;
  const auto file = MappedFile::open(dir.write("file", "abc"));
  ASSERT_EQ(file->bytes().size(), 3u);
  EXPECT_EQ(file->bytes()[2], std::byte{'c'});
  EXPECT_EQ(MappedFile::open(dir.write("empty", ""))->bytes().size(), 0u);
}

TEST(MappedFile, RefusesWhatIsNoRegularFile) {
  const TemporaryDirectory dir;
  expect_input_error(
      ExitCode::kModel, "absent: cannot open", [&] { MappedFile::open(dir / "absent"); });
  expect_input_error(ExitCode::kData, "not a regular file", [&] {
    MappedFile::open(dir.path(), ExitCode::kData);
  });
  ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
  expect_input_error(
      ExitCode::kModel, "not a regular file", [&] { MappedFile::open(dir / "pipe"); });
}

/// Of a mapped file, in this process: Rss in /proc/self/smaps.
long resident_kib(const std::string& path) {
  std::ifstream maps("/proc/self/smaps");
  bool is_of_file = false;
  long sum = 0;
  for (std::string line; std::getline(maps, line);) {
    if (line.find('-') < line.find(' ')) is_of_file = line.ends_with(path);
    if (is_of_file && line.starts_with("Rss:")) sum += std::stol(line.substr(4));
  }
  return sum;
}

TEST(MappedFile, ReleasedPagesLeaveThisProcessAndComeBack) {
  constexpr long kKib = 1024;
  const TemporaryDirectory dir;
  const std::string path = dir.write("model.gguf", std::string(kKib << 10, 'x'));
  const auto file = MappedFile::open(path);
  const auto sum = [&] {
    long total = 0;
    for (const std::byte byte : file->bytes()) total += std::to_integer<long>(byte);
    return total;
  };
  const long before = sum();
  EXPECT_EQ(resident_kib(path), kKib);
  release_pages(file->bytes().subspan(0, 0));
  EXPECT_EQ(resident_kib(path), kKib);
  release_pages(file->bytes().subspan(5000, 300'000));  // pages 1 to 74 of 4 KiB
  EXPECT_EQ(resident_kib(path), kKib - 74 * ::sysconf(_SC_PAGESIZE) / 1024);
  EXPECT_EQ(sum(), before);
  release_pages(file->bytes());
  EXPECT_EQ(resident_kib(path), 0);
}

TEST(MappedFileDeathTest, FileCutWhileMappedEndsInAMessage) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const TemporaryDirectory dir;
  const std::string path = dir.write("model.gguf", std::string(1 << 16, 'x'));
  const auto read_cut_file = [&] {
    const auto file = MappedFile::open(path);
    if (::truncate(path.c_str(), 0) != 0) return;
    volatile std::byte last = file->bytes().back();
    static_cast<void>(last);
  };
  EXPECT_EXIT(read_cut_file(), ::testing::ExitedWithCode(4), "model.gguf: the file was cut");
}

}  // namespace
}  // namespace prescript
