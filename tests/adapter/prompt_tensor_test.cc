#include "adapter/prompt_tensor.h"

#include <bit>
#include <cmath>
#include <fstream>
#include <limits>

#include <gtest/gtest.h>

#include "io/safetensors.h"
#include "support/damage.h"
#include "support/expect_error.h"
#include "support/temporary_directory.h"

namespace prescript {
namespace {

const std::string kGolden = PRESCRIPT_SOURCE_DIR "/tests/golden/adapter/";

std::vector<float> golden_values(const std::string& name) {
  std::ifstream file(kGolden + name);
  std::vector<float> values;
  for (float value = 0; file >> value;) values.push_back(value);
  return values;
}

SoftPrompt read(const std::string& path, int64_t num_virtual_tokens, int64_t hidden_size) {
  return read_soft_prompt(MappedFile::open(path), num_virtual_tokens, hidden_size);
}

class PromptTensor : public testing::Test {
 protected:
  /// Expects a file of these tensors to be refused as a prompt of 2 x 3.
  void refuses(const std::vector<SafetensorsTensor>& tensors, const char* message) {
    const std::string path = directory_.write("file", safetensors_file_bytes(tensors));
    expect_input_error(ExitCode::kModel, message, [&] { read(path, 2, 3); });
  }

  TemporaryDirectory directory_;
};

TEST_F(PromptTensor, ReadsTheRowsThatPeftWrote) {
  const auto values = golden_values("values.txt");
  ASSERT_EQ(values.size(), 80u);
  const auto random = read(kGolden + "random/adapter_model.safetensors", 5, 8);
  EXPECT_EQ(random.values_PD, std::vector<float>(values.begin(), values.begin() + 40));
  const auto text = read(kGolden + "text/adapter_model.safetensors", 5, 0);
  EXPECT_EQ(text.values_PD, std::vector<float>(values.begin() + 40, values.end()));
  EXPECT_EQ(text.num_virtual_tokens, 5);
  EXPECT_EQ(text.hidden_size, 8);
}

TEST_F(PromptTensor, WritesTheBytesThatPeftWrites) {
  const auto values = golden_values("values.txt");
  EXPECT_EQ(soft_prompt_file_bytes({5, 8, {values.begin(), values.begin() + 40}}),
            bytes_of_file(kGolden + "random/adapter_model.safetensors"));
}

TEST_F(PromptTensor, ReadsHalfPrecisionAsTorchDoes) {
  EXPECT_EQ(read(kGolden + "f16.safetensors", 5, 8).values_PD, golden_values("f16.txt"));
  EXPECT_EQ(read(kGolden + "bf16.safetensors", 5, 8).values_PD, golden_values("bf16.txt"));
}

TEST_F(PromptTensor, TheFirstValueThatIsNotFiniteIsNamed) {
  for (const float bad : {std::numeric_limits<float>::infinity(), std::nanf(""), -INFINITY}) {
    const SoftPrompt prompt{2, 3, {1, 2, 3, 4, bad, bad}};
    EXPECT_EQ(first_not_finite(prompt), "virtual token 1, column 1");
    const std::string path = directory_.write("file", soft_prompt_file_bytes(prompt));
    expect_input_error(ExitCode::kModel, "virtual token 1, column 1", [&] { read(path, 2, 3); });
  }
  const auto largest = std::numeric_limits<float>::max();
  EXPECT_EQ(first_not_finite({1, 2, {largest, -largest}}), std::nullopt);
}

TEST_F(PromptTensor, OtherTensorsAreNamed) {
  const std::vector<std::byte> bytes(48);
  const auto of = [&](const std::string& name, const std::string& dtype, size_t size) {
    return SafetensorsTensor{name, dtype, {2, 3}, std::span(bytes).first(size)};
  };
  refuses({}, "prompt_embeddings is missing");
  refuses({of("base_model.lora_A", "F32", 24)}, "prompt_embeddings is missing");
  refuses({of("prompt_embeddings", "F32", 24), of("prefix_task_cols", "F32", 24)},
          "\"prefix_task_cols\" is not expected");
  refuses({of("prompt_embeddings", "F64", 48)}, "of type F64");
  refuses({of("prompt_embeddings", "I32", 24)}, "of type I32");
}

TEST_F(PromptTensor, ShapesThatDisagreeAreRefused) {
  const std::vector<std::byte> bytes(24);
  const auto of = [&](std::vector<int64_t> shape) {
    return std::vector{SafetensorsTensor{"prompt_embeddings", "F32", std::move(shape), bytes}};
  };
  refuses(of({3, 2}), "has shape [3, 2], the adapter's description says [2, 3]");
  refuses(of({6}), "has shape [6]");
  refuses(of({2, 3, 1}), "has shape [2, 3, 1]");
  refuses(of({1, 6}), "has shape [1, 6]");
  const auto scalar = SafetensorsTensor{"prompt_embeddings", "F32", {}, std::span(bytes).first(4)};
  refuses({scalar}, "has shape []");
  const auto empty = SafetensorsTensor{"prompt_embeddings", "F32", {2, 0}, {}};
  const std::string path = directory_.write("empty", safetensors_file_bytes({empty}));
  expect_input_error(ExitCode::kModel, "has shape [2, 0]", [&] { read(path, 2, 0); });
}

TEST_F(PromptTensor, DamagedFilesLeadToSuccessOrAClearError) {
  const std::string valid = soft_prompt_file_bytes({2, 3, {1, 2, 3, 4, 5, 6}});
  for (uint64_t i = 0; i < 3000; ++i) {
    const std::string path = directory_.write("file", damaged(valid, i, 120));
    try {
      EXPECT_EQ(read(path, 2, 3).values_PD.size(), 6u);
    } catch (const InputError& error) {
      EXPECT_EQ(error.code(), ExitCode::kModel) << error.what();
    }
  }
}

}  // namespace
}  // namespace prescript
