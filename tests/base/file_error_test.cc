#include "base/file_error.h"

#include <cerrno>
#include <filesystem>

#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/temporary_directory.h"
#include "support/unprivileged.h"

namespace prescript {
namespace {

TEST(FileError, APathAtFaultIsTheUsersMistake) {
  for (const int error_number : {ENOENT, ENOTDIR, EISDIR, EACCES, EPERM, EROFS, ELOOP}) {
    expect_input_error(ExitCode::kData, "some/path: cannot open: ", [&] {
      throw_open_error("some/path", "cannot open", error_number, ExitCode::kData);
    });
  }
  expect_input_error(ExitCode::kModel, "No such file or directory", [] {
    throw_open_error("x", "cannot open", ENOENT, ExitCode::kModel);
  });
}

TEST(FileError, AFailingDiskIsTheMachines) {
  for (const int error_number : {ENOSPC, EIO, EDQUOT, EMFILE}) {
    EXPECT_THROW(throw_open_error("x", "cannot open", error_number, ExitCode::kData), DeviceError);
    EXPECT_THROW(throw_file_error("x", "cannot write", error_number), DeviceError);
  }
  try {
    throw_file_error("some/path", "cannot write", ENOSPC);
  } catch (const DeviceError& error) {
    EXPECT_STREQ(error.what(), "some/path: cannot write: No space left on device");
    EXPECT_EQ(error.code(), ExitCode::kResources);
  }
}

TEST(FileError, WhatCannotBeLookedAtIsNotAbsent) {
  const TemporaryDirectory directory;
  std::filesystem::create_symlink("nowhere", directory / "link");
  std::filesystem::create_directory(directory / "closed");
  EXPECT_TRUE(is_there(directory / "link", ExitCode::kModel));
  EXPECT_FALSE(is_there(directory / "absent", ExitCode::kModel));
  EXPECT_FALSE(is_there(directory.write("file", "x") + "/in", ExitCode::kModel));
  expect_input_error(ExitCode::kModel, "cannot look at it: File name too long", [&] {
    is_there(directory / std::string(300, 'n'), ExitCode::kModel);
  });
  std::filesystem::permissions(directory.path(), std::filesystem::perms(0755));
  std::filesystem::permissions(directory / "closed", std::filesystem::perms(0));
  const Unprivileged user;
  expect_input_error(ExitCode::kData, "closed/x: cannot look at it: Permission denied", [&] {
    is_there(directory / "closed/x", ExitCode::kData);
  });
}

}  // namespace
}  // namespace prescript
