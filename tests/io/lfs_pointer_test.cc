#include "io/lfs_pointer.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "io/json.h"
#include "io/mapped_file.h"
#include "support/expect_error.h"
#include "support/temporary_directory.h"

namespace prescript {
namespace {

// As git-lfs's specification gives it.
constexpr const char* kPointer =
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
    "size 12345\n";

TEST(LfsPointer, IsNamedWhereWeightsOrATokenizerShouldBe) {
  const TemporaryDirectory dir;
  const std::string path = dir.write("model.safetensors", kPointer);
  const std::string message = "model.safetensors: a Git LFS pointer";
  expect_input_error(ExitCode::kModel, message, [&] { MappedFile::open(path); });
  expect_input_error(ExitCode::kData, message, [&] { parse_json_file(path, ExitCode::kData); });
}

TEST(LfsPointer, IsNothingElse) {
  EXPECT_NO_THROW(refuse_lfs_pointer("", "file", ExitCode::kModel));
  EXPECT_NO_THROW(refuse_lfs_pointer("version 1\n", "file", ExitCode::kModel));
}

}  // namespace
}  // namespace prescript
