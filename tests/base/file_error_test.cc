#include "base/file_error.h"

#include <cerrno>

#include <gtest/gtest.h>

#include "support/expect_error.h"

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

}  // namespace
}  // namespace prescript
