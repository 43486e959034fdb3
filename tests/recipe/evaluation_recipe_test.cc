#include "recipe/evaluation_recipe.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/temporary_directory.h"

namespace prescript {
namespace {

using testing::ElementsAre;
using testing::Pair;

constexpr const char* kShortest =
    "base_model: m.gguf\ntasks: {medqa: {questions: q.jsonl}}\noutput: out\n";

constexpr const char* kLong = R"(
base_model: m.gguf
dtype: fp32
adapters:
  zeta: checkpoints/z/adapter
  alpha: checkpoints/a/adapter
tasks:
  second:
    questions: b.jsonl
    limit: 20
    few_shot: {from: shots.jsonl, count: 3}
    strategies: [few_shot, chain_of_thought]
    scoring: [generation]
  first:
    questions: a.jsonl
    hard_prompt: alpha
    strategies: [zero_shot, selective_prediction]
self_consistency: {num_samples: 5, temperature: 1}
selective_prediction: {num_samples: 9, target_accuracy: 0.8, threshold_from: first}
exemplars: [x.jsonl, y.jsonl]
output: out
)";

class EvaluationRecipeTest : public testing::Test {
 protected:
  EvaluationRecipe read(const std::string& text,
                        const std::vector<std::string>& overrides = {}) const {
    return read_evaluation_recipe(dir_.write("r.yaml", text), overrides);
  }
  void expect_error(const std::string& part,
                    const std::string& text,
                    const std::vector<std::string>& overrides = {}) const {
    SCOPED_TRACE(text);
    expect_input_error(ExitCode::kUsage, part, [&] { read(text, overrides); });
  }
  TemporaryDirectory dir_;
};

TEST_F(EvaluationRecipeTest, TheShortestHasTheDefaultsOfThePaper) {
  const EvaluationRecipe recipe = read(kShortest);
  ASSERT_EQ(recipe.tasks.size(), 1u);
  EXPECT_EQ(recipe.tasks[0].name, "medqa");
  EXPECT_EQ(recipe.tasks[0].few_shot.count, 5);
  EXPECT_EQ(recipe.self_consistency.num_samples, 11);
  EXPECT_EQ(recipe.self_consistency.temperature, 0.7);
  EXPECT_EQ(recipe.selective_prediction.num_samples, 41);
  EXPECT_EQ(recipe.bootstrap.replicas, 1000);
  EXPECT_TRUE(recipe.base);
}

TEST_F(EvaluationRecipeTest, NamesStandInTheOrderOfTheFile) {
  const EvaluationRecipe recipe = read(kLong);
  EXPECT_THAT(
      recipe.adapters,
      ElementsAre(Pair("zeta", "checkpoints/z/adapter"), Pair("alpha", "checkpoints/a/adapter")));
  ASSERT_EQ(recipe.tasks.size(), 2u);
  EXPECT_EQ(recipe.tasks[0].name, "second");
  EXPECT_EQ(recipe.tasks[0].limit, 20);
  EXPECT_EQ(recipe.tasks[0].few_shot.from, "shots.jsonl");
  EXPECT_EQ(recipe.tasks[1].hard_prompt, "alpha");
}

TEST_F(EvaluationRecipeTest, OverridesReachIntoTasksAndKeepTheirOrder) {
  const EvaluationRecipe recipe =
      read(kLong, {"tasks.second.limit=7", "tasks.third.questions=c.jsonl", "adapters.zeta=z2"});
  ASSERT_EQ(recipe.tasks.size(), 3u);
  EXPECT_EQ(recipe.tasks[0].limit, 7);
  EXPECT_EQ(recipe.tasks[2].name, "third");
  EXPECT_EQ(read(kLong, {"tasks.second.limit=null"}).tasks[0].limit, std::nullopt);
}

TEST_F(EvaluationRecipeTest, ItsYamlReadsBackAsTheSameRecipe) {
  for (const char* text : {kShortest, kLong}) {
    const EvaluationRecipe recipe = read(text);
    EXPECT_EQ(read(evaluation_yaml(recipe)), recipe) << evaluation_yaml(recipe);
  }
}

TEST_F(EvaluationRecipeTest, AnUnknownKeyIsRefusedWithItsPlaceAndTheNearest) {
  expect_error(
      "r.yaml:2:31: unknown key \"tasks.medqa.limits\"; the nearest known key is tasks.medqa.limit",
      "base_model: m\ntasks: {medqa: {questions: q, limits: 3}}\noutput: o\n",
      {});
  expect_error("nearest known key is self_consistency.temperature",
               kShortest,
               {"self_consistency.temprature=1"});
  expect_error("nearest known key is tasks.medqa.few_shot.count",
               kShortest,
               {"tasks.medqa.few_shot.number=1"});
  expect_error("\"med qa\" is no name", kShortest, {"tasks={med qa: {questions: q.jsonl}}"});
  expect_error("\"1st\" is no name", kShortest, {"adapters.1st=dir"});
}

TEST_F(EvaluationRecipeTest, KeysOfATrainingAreRefusedWithTheCommandThatKnowsThem) {
  expect_error("r.yaml:2:1: unknown key \"data\"; recipes of prescript train have it",
               "base_model: m\ndata: {train: t}\noutput: o\n",
               {});
  expect_error("unknown key \"training.steps\"; recipes of prescript train have it",
               kShortest,
               {"training.steps=3"});
}

TEST_F(EvaluationRecipeTest, ContradictionsAreRefused) {
  expect_error("tasks: missing", "base_model: m\noutput: o\n");
  expect_error("tasks.medqa.questions: missing",
               "base_model: m\ntasks.medqa.limit: 3\noutput: o\n");
  expect_error("base_model: missing", "tasks.medqa.questions: q\noutput: o\n");
  expect_error("nothing answers", kShortest, {"base=false"});
  expect_error("name it otherwise", kShortest, {"adapters.base=dir"});
  expect_error("the strategy few_shot shows exemplars", kShortest, {"strategies=[few_shot]"});
  expect_error("has no effect without few_shot.from", kShortest, {"tasks.medqa.few_shot.count=3"});
  expect_error("is the name of no adapter", kShortest, {"tasks.medqa.hard_prompt=gone"});
  expect_error("has no effect beside hard_prompt", kLong, {"tasks.first.instruction=Be brief."});
  expect_error("is the name of no task", kLong, {"selective_prediction.threshold_from=gone"});
  expect_error("does not have the strategy selective_prediction",
               kLong,
               {"selective_prediction.threshold_from=second"});
  expect_error("allowed is a list of different values, each letter, text or generation",
               kShortest,
               {"scoring=letter"});
  expect_error("allowed is a whole number in [1, 1000000000]", kShortest, {"tasks.medqa.limit=0"});
}

TEST_F(EvaluationRecipeTest, IsToldFromARecipeOfATraining) {
  EXPECT_TRUE(is_evaluation_recipe(dir_.write("e.yaml", kShortest)));
  EXPECT_TRUE(is_evaluation_recipe(dir_.write("d.yaml", "tasks.x.questions: q")));
  EXPECT_FALSE(is_evaluation_recipe(dir_.write("t.yaml", "base_model: m\ndata.train: t")));
}

TEST_F(EvaluationRecipeTest, DocumentHoldsEveryKeyItsRangeAndItsDefault) {
  std::ifstream document(PRESCRIPT_SOURCE_DIR "/docs/EVALUATION.md");
  std::vector<std::vector<std::string>> rows;  // key, meaning, allowed, default
  for (std::string line; std::getline(document, line);) {
    if (!line.starts_with("| `")) continue;
    std::vector<std::string> row;
    for (size_t begin = 1; begin < line.size();) {
      const size_t end = line.find('|', begin);
      std::string cell = line.substr(begin + 1, end - begin - 2);
      if (cell.starts_with('`')) cell = cell.substr(1, cell.rfind('`') - 1);
      row.push_back(cell);
      begin = end + 1;
    }
    rows.push_back(row);
  }
  for (const DocumentedKey& key : documented_evaluation_keys()) {
    SCOPED_TRACE(key.path);
    const auto row = std::ranges::find_if(rows, [&](const auto& r) { return r[0] == key.path; });
    ASSERT_NE(row, rows.end());
    ASSERT_EQ(row->size(), 4u);
    EXPECT_GT((*row)[1].size(), 10u) << "no meaning";
    EXPECT_EQ((*row)[2], key.allowed);
    EXPECT_EQ((*row)[3], key.default_value);
  }
}

}  // namespace
}  // namespace prescript
