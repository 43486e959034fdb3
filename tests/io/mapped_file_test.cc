#include "io/mapped_file.h"

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
