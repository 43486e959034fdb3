#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapter/adapter_files.h"
#include "cli/program.h"
#include "support/temporary_directory.h"

namespace prescript {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

Adapter trained_adapter(PromptPosition position) {
  Adapter adapter;
  adapter.prompt = {.num_virtual_tokens = 2, .hidden_size = 3, .values_PD = {1, 2, 3, 4, 5, 6}};
  adapter.position = position;
  adapter.identity.base_model = "models/tiny";
  adapter.identity.base_hash = std::string(64, 'a');
  adapter.hard_prompt.instruction = "Answer with care.";
  adapter.hard_prompt.few_shot_json = {
      R"({"id":"e1","question":"Confidential one?","answer":"Yes."})",
      R"({"id":"e2","question":"Confidential two?","answer":"No."})"};
  adapter.metrics = {{"validation_loss", 2.5}};
  return adapter;
}

std::map<std::string, std::string> files_in(const std::string& dir) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::directory_iterator(dir))
    files[entry.path().filename()] = bytes_of_file(entry.path());
  return files;
}

class ExportCommand : public testing::Test {
 protected:
  ExportCommand() { publish_adapter(trained_adapter(PromptPosition::kStart), directory_ / "a"); }

  /// Runs `export DIRECTORY/FROM --to FORMAT --output DIRECTORY/OUTPUT`.
  ProcessResult run(const std::string& from,
                    const std::string& format,
                    const std::string& output,
                    std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {
        "export", directory_ / from, "--to", format, "--output", directory_ / output};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_prescript(arguments);
  }

  TemporaryDirectory directory_;
};

TEST_F(ExportCommand, WritesTheSameBytesElsewhereAndSaysThatTextLeaves) {
  for (const char* format : {"peft", "prescript"}) {
    const auto result = run("a", format, format);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, HasSubstr("the text of 2 few-shot exemplars leaves"));
    EXPECT_THAT(result.err, Not(HasSubstr("Confidential")));
    EXPECT_EQ(files_in(directory_ / format), files_in(directory_ / "a"));
  }
}

TEST_F(ExportCommand, LeavesFewShotTextOutOnDemand) {
  const auto result = run("a", "peft", "b", {"--without-few-shot"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("left out 2 few-shot exemplars"));
  for (const auto& [name, bytes] : files_in(directory_ / "b"))
    EXPECT_THAT(bytes, Not(HasSubstr("Confidential"))) << name;
  const Adapter stripped = read_adapter(directory_ / "b");
  EXPECT_TRUE(stripped.hard_prompt.few_shot_json.empty());
  EXPECT_EQ(stripped.hard_prompt.instruction, "Answer with care.");
  EXPECT_EQ(stripped.prompt.values_PD, read_adapter(directory_ / "a").prompt.values_PD);
  EXPECT_EQ(stripped.provenance.at("few_shot_left_out"), "2");
}

TEST_F(ExportCommand, AnAdapterWithoutFewShotTextLeavesInSilence) {
  run("a", "peft", "b", {"--without-few-shot"});
  EXPECT_EQ(run("b", "peft", "c").err, "");
  EXPECT_EQ(run("b", "peft", "d", {"--without-few-shot"}).err, "");
  EXPECT_EQ(files_in(directory_ / "c"), files_in(directory_ / "b"));
  EXPECT_EQ(files_in(directory_ / "d"), files_in(directory_ / "b"));
}

TEST_F(ExportCommand, PeftGetsNoPromptThatStandsElsewhere) {
  publish_adapter(trained_adapter(PromptPosition::kAfterBos), directory_ / "after_bos");
  const auto refused = run("after_bos", "peft", "b");
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("before all others"));
  EXPECT_FALSE(fs::exists(directory_ / "b"));
  EXPECT_EQ(run("after_bos", "prescript", "b").exit_code, 0);
  EXPECT_EQ(files_in(directory_ / "b"), files_in(directory_ / "after_bos"));
}

TEST_F(ExportCommand, AnAdapterOfPeftGetsHashesAndKeepsItsBytes) {
  const std::string peft = PRESCRIPT_SOURCE_DIR "/tests/golden/adapter/random";
  const auto result = run_prescript({"export", peft, "--to", "peft", "--output", directory_ / "b"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  auto files = files_in(directory_ / "b");
  EXPECT_EQ(files.erase("prescript.json"), 1u);
  EXPECT_EQ(files, files_in(peft));
}

TEST_F(ExportCommand, AnOutputThatExistsIsNeverReplaced) {
  directory_.write("file", "x");
  fs::create_directory(directory_ / "empty");
  fs::create_symlink("nowhere", directory_ / "link");
  for (const char* output : {"a", "file", "empty", "link"}) {
    const auto result = run("a", "peft", output);
    EXPECT_EQ(result.exit_code, 2) << output;
    EXPECT_THAT(result.err, HasSubstr("something is there already"));
  }
  EXPECT_EQ(bytes_of_file(directory_ / "file"), "x");
}

TEST_F(ExportCommand, MistakesHaveTheirExitCodes) {
  EXPECT_EQ(run("none", "peft", "b").exit_code, 4);
  EXPECT_EQ(run("a", "peft", "none/b").exit_code, 2);
  const auto unknown = run("a", "onnx", "b");
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("onnx"));
  EXPECT_EQ(run_prescript({"export", directory_ / "a", "--to", "peft", "--output", ""}).exit_code,
            2);
  auto bytes = bytes_of_file(directory_ / "a/adapter_model.safetensors");
  bytes.back() ^= 1;
  directory_.write("a/adapter_model.safetensors", bytes);
  EXPECT_EQ(run("a", "peft", "b").exit_code, 4);
  EXPECT_FALSE(fs::exists(directory_ / "b"));
}

}  // namespace
}  // namespace prescript
