#include "io/tensor_source.h"

#include <gtest/gtest.h>

#include "io/safetensors.h"
#include "support/expect_error.h"
#include "support/temporary_directory.h"

namespace prescript {
namespace {

const std::string kGolden = PRESCRIPT_SOURCE_DIR "/tests/golden/io/";

std::unique_ptr<TensorSource> open_golden_gguf() {
  return open_gguf_tensors(GgufFile::open(kGolden + "every_type.gguf"));
}

/// The value of a float32 tensor in a safetensors file.
std::vector<float> floats_of(const SafetensorsFile& file, const std::string& name) {
  const auto bytes = file.find(name)->bytes;
  std::vector<float> values(bytes.size() / sizeof(float));
  std::copy(bytes.begin(), bytes.end(), std::as_writable_bytes(std::span(values)).begin());
  return values;
}

TEST(TensorSource, WholeGgufTensorsEqualTheOracle) {
  const auto source = open_golden_gguf();
  const auto expected = SafetensorsFile::open(kGolden + "every_type_values.safetensors");
  ASSERT_EQ(source->list().size(), 14u);
  for (const TensorInfo& info : source->list())
    EXPECT_EQ(source->read_all(info.name), floats_of(*expected, info.name)) << info.name;
}

TEST(TensorSource, DescribesTensors) {
  const auto source = open_golden_gguf();
  const TensorInfo* info = source->find("Q4_1");
  ASSERT_NE(info, nullptr);
  EXPECT_EQ(info->stored_type, "Q4_1");
  EXPECT_EQ(info->rows(), 3);
  EXPECT_EQ(info->cols(), 512);
  EXPECT_EQ(info->bytes, 960u);
  EXPECT_EQ(source->find("vector")->rows(), 1);
  EXPECT_EQ(source->find("vector")->cols(), 5);
  EXPECT_EQ(source->find("absent"), nullptr);
  EXPECT_EQ(source->column_alignment("Q4_1"), 32);
  EXPECT_EQ(source->column_alignment("Q6_K"), 256);
  EXPECT_EQ(source->column_alignment("BF16"), 1);
}

TEST(TensorSource, SlicesEqualPartsOfTheWhole) {
  const auto source = open_golden_gguf();
  for (const TensorInfo& info : source->list()) {
    SCOPED_TRACE(info.name);
    const std::vector<float> whole = source->read_all(info.name);
    const int64_t cols = info.cols();
    const int64_t step = source->column_alignment(info.name);
    for (int64_t row_begin = 0; row_begin <= info.rows(); ++row_begin)
      for (int64_t row_end = row_begin; row_end <= info.rows(); ++row_end)
        for (const auto& [col_begin, col_end] : {std::pair{int64_t{0}, cols},
                                                 {int64_t{0}, step},
                                                 {step, step},
                                                 {cols / step / 2 * step, cols / step * step}}) {
          std::vector<float> expected;
          for (int64_t row = row_begin; row < row_end; ++row)
            expected.insert(expected.end(),
                            whole.begin() + row * cols + col_begin,
                            whole.begin() + row * cols + col_end);
          std::vector<float> part(expected.size() + 1, -7.0f);
          source->read(info.name, row_begin, row_end, col_begin, col_end, part.data());
          EXPECT_EQ(part.back(), -7.0f);
          part.pop_back();
          EXPECT_EQ(part, expected);
        }
  }
}

TEST(TensorSource, WhatWasReleasedIsReadAgain) {
  const auto source = open_golden_gguf();
  for (const TensorInfo& info : source->list()) {
    const std::vector<float> before = source->read_all(info.name);
    source->release(info.name);
    EXPECT_EQ(source->read_all(info.name), before);
  }
  EXPECT_THROW(source->release("absent"), ContractError);
}

TEST(TensorSource, RefusesWrongSlices) {
  const auto source = open_golden_gguf();
  std::vector<float> out(3 * 512);
  const auto read = [&](const char* name, int64_t r0, int64_t r1, int64_t c0, int64_t c1) {
    source->read(name, r0, r1, c0, c1, out.data());
  };
  EXPECT_THROW(read("absent", 0, 1, 0, 1), ContractError);
  EXPECT_THROW(read("Q4_1", 0, 1, 0, 16), ContractError);
  EXPECT_THROW(read("Q4_1", 0, 1, 16, 32), ContractError);
  EXPECT_THROW(read("Q4_1", 0, 4, 0, 32), ContractError);
  EXPECT_THROW(read("Q4_1", -1, 1, 0, 32), ContractError);
  EXPECT_THROW(read("Q4_1", 2, 1, 0, 32), ContractError);
  EXPECT_THROW(read("Q4_1", 0, 1, 0, 544), ContractError);
  EXPECT_THROW(read("Q4_1", 0, 1, 64, 32), ContractError);
  EXPECT_THROW(source->read_all("absent"), ContractError);
}

TEST(SafetensorsDirectory, ReadsEveryFloatType) {
  const TemporaryDirectory dir;
  const double f64[] = {1.5, -0.1};
  const uint16_t f16[] = {0x3C00, 0xC000};
  const uint16_t bf16[] = {0x3F80, 0xC000};
  const float f32[] = {0.25f, 3.0f};
  const uint8_t u8[] = {1, 2};
  dir.write("model.safetensors",
            safetensors_file_bytes({{"f64", "F64", {2}, std::as_bytes(std::span(f64))},
                                    {"f16", "F16", {2, 1}, std::as_bytes(std::span(f16))},
                                    {"bf16", "BF16", {1, 2}, std::as_bytes(std::span(bf16))},
                                    {"f32", "F32", {2}, std::as_bytes(std::span(f32))},
                                    {"u8", "U8", {2}, std::as_bytes(std::span(u8))}}));
  const auto source = open_safetensors_directory(dir.path());
  EXPECT_EQ(source->read_all("f64"), (std::vector<float>{1.5f, -0.1f}));
  EXPECT_EQ(source->read_all("f16"), (std::vector<float>{1.0f, -2.0f}));
  EXPECT_EQ(source->read_all("bf16"), (std::vector<float>{1.0f, -2.0f}));
  EXPECT_EQ(source->read_all("f32"), (std::vector<float>{0.25f, 3.0f}));
  EXPECT_EQ(source->find("f16")->rows(), 2);
  EXPECT_EQ(source->find("u8")->stored_type, "U8");
  EXPECT_THROW(source->read_all("u8"), ContractError);
  EXPECT_EQ(source->files(), (std::vector<std::string>{dir / "model.safetensors"}));
}

class ShardedDirectory : public ::testing::Test {
 protected:
  ShardedDirectory() {
    write_shard("s1.safetensors", "a", 1);
    write_shard("s2.safetensors", "b", 2);
  }
  void write_shard(const std::string& file, const std::string& name, float value) {
    dir.write(file,
              safetensors_file_bytes({{name, "F32", {1}, std::as_bytes(std::span(&value, 1))}}));
  }
  void write_index(const std::string& weight_map) {
    dir.write("model.safetensors.index.json",
              R"({"metadata": {}, "weight_map": )" + weight_map + "}");
  }
  void expect_refused(const std::string& weight_map, const char* message) {
    write_index(weight_map);
    expect_input_error(ExitCode::kModel, message, [&] { open_safetensors_directory(dir.path()); });
  }

  TemporaryDirectory dir;
};

TEST_F(ShardedDirectory, ReadsTensorsFromTheirShards) {
  write_index(R"({"a": "s1.safetensors", "b": "s2.safetensors"})");
  const auto source = open_safetensors_directory(dir.path());
  EXPECT_EQ(source->list().size(), 2u);
  EXPECT_EQ(source->read_all("a"), std::vector<float>{1});
  EXPECT_EQ(source->read_all("b"), std::vector<float>{2});
  EXPECT_EQ(source->files(),
            (std::vector<std::string>{dir / "s1.safetensors", dir / "s2.safetensors"}));
}

TEST_F(ShardedDirectory, MalformedIndexIsRefused) {
  expect_refused(R"({"a": "s3.safetensors"})", "s3.safetensors: cannot open");
  expect_refused(R"({"a": "s2.safetensors"})", "\"a\" is not in s2.safetensors");
  expect_refused(R"({"a": "../s1.safetensors"})",
                 "weight_map.a: \"../s1.safetensors\" is not the name");
  expect_refused(R"({"a": "/etc/passwd"})", "weight_map.a: ");
  expect_refused(R"({"a": "s1.bin"})", "weight_map.a: ");
  expect_refused(R"({"a": 1})", "weight_map.a: expected a string");
  expect_refused(R"([])", "weight_map: expected an object");
  expect_refused("{}", "weight_map is empty");
  expect_refused("{", "index.json:1:33: syntax error");
}

TEST(SafetensorsDirectory, PickledModelIsRefusedWithTheWayToConvertIt) {
  const TemporaryDirectory dir;
  dir.write("pytorch_model.bin", "\x80\x02}");
  const auto attempt = [&] { open_safetensors_directory(dir.path()); };
  expect_input_error(ExitCode::kModel, "\"pytorch_model.bin\"", attempt);
  expect_input_error(ExitCode::kModel, "safe_serialization=True", attempt);
}

TEST(SafetensorsDirectory, DirectoryWithoutWeightsIsRefused) {
  const TemporaryDirectory dir;
  expect_input_error(ExitCode::kModel, "neither model.safetensors", [&] {
    open_safetensors_directory(dir.path());
  });
  expect_input_error(
      ExitCode::kModel, "no such directory", [&] { open_safetensors_directory(dir / "absent"); });
}

}  // namespace
}  // namespace prescript
