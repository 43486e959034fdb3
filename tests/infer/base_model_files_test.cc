#include "infer/base_model_files.h"

#include <filesystem>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "io/tensor_source.h"
#include "support/expect_error.h"
#include "support/tiny_base.h"

namespace prescript {
namespace {

using nlohmann::json;

/// A tiny model whose files a test may change.
class BaseModelFilesTest : public testing::Test {
 protected:
  BaseModelFilesTest() { write_tiny_model(dir()); }

  std::string dir() const { return directory_ / "tiny"; }
  void write(const std::string& name, const std::string& text) const {
    directory_.write("tiny/" + name, text);
  }
  void remove(const std::string& name) const { std::filesystem::remove(dir() + "/" + name); }

 private:
  TemporaryDirectory directory_;
};

TEST_F(BaseModelFilesTest, OpensAHuggingFaceDirectory) {
  const BaseModelFiles files = open_base_model(dir());
  EXPECT_EQ(files.config.hidden_size, 32);
  EXPECT_EQ(files.end_tokens, std::vector<int32_t>{kTinyEndOfText});
  ASSERT_TRUE(files.chat_template);
  EXPECT_NE(files.chat_template->find("<|im_start|>"), std::string::npos);
  EXPECT_EQ(files.tokenizer->encode("Hi", SpecialTokens::kText).front().id, 'H');
}

TEST_F(BaseModelFilesTest, TakesTheTemplateOfTokenizerConfigWhereThereIsNoJinjaFile) {
  remove("chat_template.jinja");
  EXPECT_FALSE(open_base_model(dir()).chat_template);
  json config = {{"eos_token", "<|endoftext|>"}, {"chat_template", "one"}};
  write("tokenizer_config.json", config.dump());
  EXPECT_EQ(open_base_model(dir()).chat_template, "one");
  config["chat_template"] = json::array(
      {{{"name", "tools"}, {"template", "two"}}, {{"name", "default"}, {"template", "three"}}});
  write("tokenizer_config.json", config.dump());
  EXPECT_EQ(open_base_model(dir()).chat_template, "three");
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
  write("generation_config.json", R"({"eos_token_id": 259})");
  expect_input_error(ExitCode::kModel, "eos_token_id", [&] { open_base_model(dir()); });
  remove("generation_config.json");
  remove("tokenizer.json");
  expect_input_error(
      ExitCode::kModel, "tokenizer.json is missing", [&] { open_base_model(dir()); });
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

/// An adapter as training on this base leaves it.
Adapter trained_on(const BaseModelFiles& base) {
  Adapter adapter = tiny_adapter(4, 1);
  adapter.identity = base.identity();
  adapter.has_prescript_json = true;
  return adapter;
}

TEST_F(BaseModelFilesTest, AnAdapterFitsItsOwnBase) {
  const BaseModelFiles base = open_base_model(dir());
  EXPECT_EQ(check_adapter_fits(trained_on(base), "a", base, false), std::nullopt);
}

TEST_F(BaseModelFilesTest, AnAdapterWithoutHashesPassesWithAWarning) {
  const auto warning =
      check_adapter_fits(tiny_adapter(4, 1), "some/dir", open_base_model(dir()), false);
  ASSERT_TRUE(warning);
  EXPECT_NE(warning->find("some/dir"), std::string::npos);
}

TEST_F(BaseModelFilesTest, AnotherBaseIsRefusedUnlessAllowed) {
  const Adapter adapter = trained_on(open_base_model(dir()));
  write_tiny_model(dir(), {.seed = 2});
  const BaseModelFiles other = open_base_model(dir());
  expect_input_error(ExitCode::kModel, "another base model", [&] {
    check_adapter_fits(adapter, "a", other, false);
  });
  EXPECT_TRUE(check_adapter_fits(adapter, "a", other, true));
}

TEST_F(BaseModelFilesTest, AnotherTemplateIsRefusedUnlessAllowedAndUnusedInPlainFormat) {
  Adapter adapter = trained_on(open_base_model(dir()));
  write("chat_template.jinja", "{{ messages[0]['content'] }}");
  const BaseModelFiles other = open_base_model(dir());
  expect_input_error(ExitCode::kModel, "another chat template", [&] {
    check_adapter_fits(adapter, "a", other, false);
  });
  EXPECT_TRUE(check_adapter_fits(adapter, "a", other, true));
  adapter.identity.template_hash.clear();
  EXPECT_EQ(check_adapter_fits(adapter, "a", other, false), std::nullopt);
}

TEST_F(BaseModelFilesTest, AnotherWidthArchitectureOrTokenizerIsNeverAllowed) {
  const BaseModelFiles base = open_base_model(dir());
  const auto refuses = [&](const Adapter& adapter, const char* message) {
    expect_input_error(
        ExitCode::kModel, message, [&] { check_adapter_fits(adapter, "a", base, true); });
  };
  Adapter narrow = trained_on(base);
  narrow.prompt.hidden_size = 16;
  refuses(narrow, "width 16");
  Adapter foreign = trained_on(base);
  foreign.identity.tokenizer_hash = std::string(64, '0');
  refuses(foreign, "another tokenizer");
  Adapter deeper = trained_on(base);
  deeper.identity.architecture = "llama layers=99";
  refuses(deeper, "another architecture");
}

}  // namespace
}  // namespace prescript
