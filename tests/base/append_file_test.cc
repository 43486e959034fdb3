#include "base/append_file.h"

#include <csignal>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "support/expect_error.h"
#include "support/temporary_directory.h"

namespace prescript {
namespace {

TEST(AppendFile, GrowsAndCanBeCutBack) {
  const TemporaryDirectory dir;
  {
    AppendFile file(dir / "log", 0);
    file.append("one\n");
    EXPECT_EQ(file.bytes(), 4u);
    file.append("two\n");
    file.sync();
  }
  EXPECT_EQ(bytes_of_file(dir / "log"), "one\ntwo\n");
  AppendFile file(dir / "log", 4);
  EXPECT_EQ(file.bytes(), 4u);
  file.append("three\n");
  EXPECT_EQ(file.bytes(), 10u);
  EXPECT_EQ(bytes_of_file(dir / "log"), "one\nthree\n");
  struct stat status {};
  ASSERT_EQ(::stat((dir / "log").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST(AppendFile, RefusesAFileShorterThanTheCheckpointRemembers) {
  const TemporaryDirectory dir;
  dir.write("log", "123");
  expect_input_error(ExitCode::kUsage, "log: 3 bytes", [&] { AppendFile(dir / "log", 4); });
  EXPECT_EQ(bytes_of_file(dir / "log"), "123");
  expect_input_error(ExitCode::kUsage, "cannot open", [&] { AppendFile(dir / "absent/log", 0); });
  expect_input_error(ExitCode::kUsage, "cannot open", [&] { AppendFile(dir / "absent", 4); });
  EXPECT_FALSE(std::filesystem::exists(dir / "absent"));
}

TEST(AppendFile, LeavesNoHalfLineWhenTheDiskIsFull) {
  const TemporaryDirectory dir;
  AppendFile file(dir / "log", 0);
  file.append("12345\n");
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlimit small{.rlim_cur = 8, .rlim_max = limit.rlim_max};
  ::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  EXPECT_THROW(file.append("6789\n"), DeviceError);  // two bytes still fit
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  EXPECT_EQ(bytes_of_file(dir / "log"), "12345\n");
  file.append("abc\n");
  EXPECT_EQ(bytes_of_file(dir / "log"), "12345\nabc\n");
}

}  // namespace
}  // namespace prescript
