#include "base/hash.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/temporary_directory.h"

namespace prescript {
namespace {

// FIPS 180-4's examples.
constexpr const char* kEmpty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr const char* kAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr const char* kMillionA =
    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

TEST(Sha256, MatchesTheStandardsExamples) {
  EXPECT_EQ(sha256_hex(std::string_view()), kEmpty);
  EXPECT_EQ(sha256_hex(std::string_view("abc")), kAbc);
  Sha256 hash;
  for (int i = 0; i < 1000; ++i) hash.update(std::string(1000, 'a'));
  EXPECT_EQ(hash.hex(), kMillionA);
}

TEST(Sha256, HashesFiles) {
  const TemporaryDirectory dir;
  EXPECT_EQ(sha256_file(dir.write("million", std::string(1000000, 'a'))), kMillionA);
  EXPECT_EQ(sha256_file(dir.write("empty", "")), kEmpty);
  expect_input_error(ExitCode::kModel, "absent: cannot open", [&] { sha256_file(dir / "absent"); });
  expect_input_error(
      ExitCode::kData, "Is a directory", [&] { sha256_file(dir.path(), ExitCode::kData); });
}

}  // namespace
}  // namespace prescript
