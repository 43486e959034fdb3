#include "infer/base_model_files.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "infer/changeable_base.h"
#include "io/tensor_source.h"
#include "support/expect_error.h"
#include "support/tiny_base.h"

namespace prescript {
namespace {

using nlohmann::json;

class BaseModelFilesTest : public ChangeableBase {};

TEST_F(BaseModelFilesTest, OpensAHuggingFaceDirectory) {
  const BaseModelFiles files = open_base_model(dir());
  EXPECT_EQ(files.config.hidden_size, 32);
  EXPECT_EQ(files.end_tokens, std::vector<int32_t>{kTinyEndOfText});
  ASSERT_TRUE(files.chat_template);
  EXPECT_NE(files.chat_template->text.find("<|im_start|>"), std::string::npos);
  EXPECT_EQ(files.tokenizer->encode("Hi", SpecialTokens::kText).front().id, 'H');
}

TEST_F(BaseModelFilesTest, TakesTheTemplateOfTokenizerConfigWhereThereIsNoJinjaFile) {
  remove("chat_template.jinja");
  EXPECT_FALSE(open_base_model(dir()).chat_template);
  json config = {{"eos_token", "<|endoftext|>"}, {"chat_template", "one"}};
  write("tokenizer_config.json", config.dump());
  EXPECT_EQ(open_base_model(dir()).chat_template->text, "one");
  EXPECT_EQ(open_base_model(dir()).chat_template->place,
            dir() + "/tokenizer_config.json: chat_template");
  config["chat_template"] = json::array(
      {{{"name", "tools"}, {"template", "two"}}, {{"name", "default"}, {"template", "three"}}});
  write("tokenizer_config.json", config.dump());
  EXPECT_EQ(open_base_model(dir()).chat_template->text, "three");
}

TEST_F(BaseModelFilesTest, EndTokensComeFromGenerationConfigThenConfigThenTheTokenizer) {
  write("generation_config.json", R"({"eos_token_id": [258, 256]})");
  EXPECT_EQ(open_base_model(dir()).end_tokens, (std::vector<int32_t>{258, 256}));
  remove("generation_config.json");
  json config = json::parse(bytes_of_file(dir() + "/config.json"));
  config["eos_token_id"] = 257;
  write("config.json", config.dump());
  EXPECT_EQ(open_base_model(dir()).end_tokens, std::vector<int32_t>{257});
  config.erase("eos_token_id");
  write("config.json", config.dump());
  EXPECT_EQ(open_base_model(dir()).end_tokens, std::vector<int32_t>{kTinyEndOfText});
}

TEST_F(BaseModelFilesTest, RefusesWhatCannotBeRun) {
  expect_input_error(ExitCode::kModel, "no such model", [&] { open_base_model("nowhere"); });
  expect_input_error(
      ExitCode::kModel, "File name too long", [] { open_base_model(std::string(300, 'n')); });
  write("generation_config.json", R"({"eos_token_id": 259})");
  expect_input_error(ExitCode::kModel, "eos_token_id", [&] { open_base_model(dir()); });
  remove("generation_config.json");
  remove("tokenizer.json");
  expect_input_error(
      ExitCode::kModel, "tokenizer.json is missing", [&] { open_base_model(dir()); });
}

TEST_F(BaseModelFilesTest, RefusesWeightsThatDoNotFitTheConfiguration) {
  json config = json::parse(bytes_of_file(dir() + "/config.json"));
  const json whole = config;
  config["num_hidden_layers"] = whole["num_hidden_layers"].get<int>() + 1;
  write("config.json", config.dump());
  expect_input_error(ExitCode::kModel,
                     dir() + "/model.safetensors: tensor model.layers.2.input_layernorm.weight is",
                     [&] { open_base_model(dir()); });
  config = whole;
  config["intermediate_size"] = whole["intermediate_size"].get<int>() + 1;
  write("config.json", config.dump());
  expect_input_error(
      ExitCode::kModel, "the configuration asks for", [&] { open_base_model(dir()); });
  write("config.json", whole.dump());
  std::string weights = bytes_of_file(dir() + "/model.safetensors");
  weights.replace(weights.find("\"F32\""), 5, "\"I32\"");
  write("model.safetensors", weights);
  expect_input_error(
      ExitCode::kModel, "is stored as I32, which is not readable", [&] { open_base_model(dir()); });
}

TEST_F(BaseModelFilesTest, EmbeddingRowsAreThoseOfTheFile) {
  const BaseModelFiles files = open_base_model(dir());
  const auto all = files.tensors->read_all("model.embed_tokens.weight");
  const auto rows = files.embedding_rows({7, 3, 7});
  for (size_t i = 0; i < 32; ++i) {
    EXPECT_EQ(rows[i], all[7 * 32 + i]);
    EXPECT_EQ(rows[32 + i], all[3 * 32 + i]);
    EXPECT_EQ(rows[64 + i], all[7 * 32 + i]);
  }
}

}  // namespace
}  // namespace prescript
