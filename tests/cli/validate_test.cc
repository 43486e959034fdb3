#include <thread>

#include <gmock/gmock.h>

#include "cli/tiny_files.h"
#include "recipe/evaluation_recipe.h"

namespace prescript {
namespace {

using testing::HasSubstr;
using testing::Not;

class ValidateCommand : public TinyFiles {
 protected:
  ValidateCommand() {
    directory_.write("train.jsonl",
                     "{\"id\":\"a\",\"question\":\"Secret pain?\",\"answer\":\"Yes.\"}\n"
                     "{\"id\":\"b\",\"question\":\"A secret?\",\"answer\":\"No.\"}\n");
    directory_.write("validation.jsonl", "{\"id\":\"c\",\"question\":\"Q?\",\"answer\":\"No.\"}\n");
    directory_.write("recipe.yaml",
                     "base_model: " + model() +
                         "\ndata:\n  train: " + (directory_ / "train.jsonl") +
                         "\n  validation: " + (directory_ / "validation.jsonl") +
                         "\noutput: " + (directory_ / "out/run") + "\n");
  }

  ProcessResult validate(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"validate", directory_ / "recipe.yaml"});
    return run_prescript(more);
  }
};

TEST_F(ValidateCommand, AGoodRecipeIsOkAndNothingIsWritten) {
  const auto result = validate();
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "ok: 2 exemplars to train on, 1 to validate on, 0 in the hard prompt\n");
  EXPECT_EQ(result.err, "");
  EXPECT_FALSE(std::filesystem::exists(directory_ / "out"));
  EXPECT_EQ(validate({"--json", "data.few_shot=1"}).out,
            "{\"ok\":true,\"train\":1,\"validation\":1,\"few_shot\":1}\n");
}

TEST_F(ValidateCommand, ASearchIsCounted) {
  const std::string search = "search={seed: [1, 2, 3], weight_decay: [0, 0.1]}";
  EXPECT_THAT(validate({search}).out, HasSubstr(" in the hard prompt, 6 candidates\n"));
  EXPECT_THAT(validate({"--json", search}).out, HasSubstr("\"candidates\":6"));
  const auto refused = validate({search, "data.validation=null"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("a search chooses by data.validation"));
}

TEST_F(ValidateCommand, EveryShippedRecipeIsRenderedForAModelThatIsHere) {
  const std::string source = PRESCRIPT_SOURCE_DIR;
  size_t num_recipes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(source + "/recipes")) {
    if (is_evaluation_recipe(entry.path())) continue;
    SCOPED_TRACE(entry.path());
    const auto result = run_prescript({"validate",
                                       entry.path(),
                                       "device=cpu",
                                       "base_model=models/SmolLM2-135M-Instruct.Q4_1.gguf",
                                       "weights={format: converted, residence: device}",
                                       "output=" + (directory_ / "out/run")},
                                      {.directory = source});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, HasSubstr(" exemplars to train on, "));
    EXPECT_EQ(result.err, "");
    ++num_recipes;
  }
  EXPECT_GE(num_recipes, 6U);
}

TEST_F(ValidateCommand, WeightsAreNotRead) {
  // A weight that no check short of computing could find.
  std::string weights = bytes_of_file(model() + "/model.safetensors");
  weights[weights.size() - 1] = '\x7f';
  weights[weights.size() - 2] = '\xc0';
  directory_.write("tiny/model.safetensors", weights);
  EXPECT_EQ(validate().exit_code, 0);
}

TEST_F(ValidateCommand, WeightsThatDoNotFitTheConfigurationAreFoundByTheirNamesAndShapes) {
  std::string weights = bytes_of_file(model() + "/model.safetensors");
  const std::string name = "model.norm.weight";
  weights.replace(weights.find(name), name.size(), "model.norm.wright");
  directory_.write("tiny/model.safetensors", weights);
  for (const auto& result : {validate(), run_prescript({"inspect", model()})}) {
    EXPECT_EQ(result.exit_code, 4) << result.err;
    EXPECT_THAT(result.err, HasSubstr("/model.safetensors: tensor model.norm.weight is missing"));
  }
}

TEST_F(ValidateCommand, ARunThatDoesNotFitIntoMemoryIsExitFive) {
  const auto result = validate({"training.memory_gb=0.05"});
  EXPECT_EQ(result.exit_code, 5) << result.err;
  EXPECT_THAT(result.err, HasSubstr("training.memory_gb: 0.05 GB is too little"));
  EXPECT_EQ(result.out, "");
}

TEST_F(ValidateCommand, WhatWouldBeDoubtfulIsAWarning) {
  const auto same = validate({"data.validation=" + (directory_ / "train.jsonl")});
  EXPECT_EQ(same.exit_code, 0) << same.err;
  EXPECT_THAT(same.err, HasSubstr("warning: data.validation: the same exemplars"));

  const auto rationale = validate({"data.rationale=true"});
  EXPECT_EQ(rationale.exit_code, 0) << rationale.err;
  EXPECT_THAT(rationale.err, HasSubstr("3 exemplars without a rationale"));

  EXPECT_THAT(validate({"data.few_shot=1"}).err, HasSubstr("text of 1 few-shot exemplar;"));
  const std::string too_many = std::to_string(std::thread::hardware_concurrency() + 1);
  EXPECT_THAT(validate({"training.threads=" + too_many}).err, HasSubstr(too_many + " threads on "));

  std::filesystem::create_directories(directory_ / "out/run");
  EXPECT_EQ(validate().err, "");
  directory_.write("out/run/metrics.jsonl", "");
  const auto occupied = validate();
  EXPECT_EQ(occupied.exit_code, 0);
  EXPECT_THAT(occupied.err, HasSubstr("holds a training run already; train will need --resume"));
}

TEST_F(ValidateCommand, EachMistakeHasItsExitCodeAndMessageWithoutExemplarText) {
  const std::string long_question(1100, 'x');
  directory_.write("long.jsonl",
                   R"({"id":"long","question":")" + long_question + R"(","answer":"Secret."})");
  directory_.write("bad.jsonl", R"({"id":"a","question":"Secret","answer":)");
  directory_.write("file", "");
  for (const auto& [override, exit_code, message] :
       std::vector<std::tuple<std::string, int, std::string>>{
           {"training.stepz=5", 2, "training.steps"},
           {"training.steps=0", 2, "training.steps=0"},
           {"device=tpu", 2, "device"},
           {"base_model=nowhere", 4, "nowhere"},
           {"data.train=" + (directory_ / "none.jsonl"), 3, "none.jsonl"},
           {"data.train=" + (directory_ / "bad.jsonl"), 3, "bad.jsonl:1"},
           {"data.train=" + (directory_ / "long.jsonl"), 3, "long"},
           {"data.few_shot=2", 3, "data.few_shot"},
           {"soft_prompt.position=after_bos", 4, "BOS"},
           {"soft_prompt.init={from: adapter, path: " + (directory_ / "nowhere") + "}",
            4,
            "nowhere"},
           {"soft_prompt.init={from: adapter, path: " + (directory_ / "kind") + "}",
            2,
            "num_virtual_tokens"},
           {"output=" + (directory_ / "file"), 2, "not a directory"},
           {"output=" + (directory_ / "file/run"), 2, "not a directory"}}) {
    const auto result = validate({override});
    EXPECT_EQ(result.exit_code, exit_code) << override << "\n" << result.err;
    EXPECT_THAT(result.err, HasSubstr(message)) << override;
    EXPECT_THAT(result.err, Not(HasSubstr("Secret")));
    EXPECT_EQ(result.out, "") << override;
  }
}

}  // namespace
}  // namespace prescript
