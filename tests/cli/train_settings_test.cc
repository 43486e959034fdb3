// Optimizers, first soft prompts and warnings of `prescript train`.

#include <cmath>
#include <numeric>

#include "cli/train_run.h"
#include "infer/base_model_files.h"
#include "recipe/recipe.h"

namespace prescript {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kAdafactor = "optimizer.name=adafactor";

class TrainSettings : public TrainRun {
 protected:
  /// The soft prompt that a run with these settings begins with: of one step that moves nothing.
  std::vector<double> first_prompt(Arguments arguments) const {
    arguments.insert(
        arguments.end(),
        {"optimizer.learning_rate=0", "training.steps=1", "output=runs/first", "--overwrite"});
    train_whole(arguments);
    return prompt("first");
  }

  /// The recipe that a run has written, as a command that would train it again reads it.
  Recipe resolved(const std::string& name = "out") const {
    return read_recipe(output(name) + "/recipe.yaml", {});
  }

  /// The warnings in metrics.jsonl by their steps.
  std::vector<std::pair<int64_t, std::string>> warnings(const std::string& name = "out") const {
    std::vector<std::pair<int64_t, std::string>> found;
    for (const auto& line : metrics(name)) {
      if (line.contains("warning")) found.emplace_back(line["step"], line["warning"]);
    }
    return found;
  }
};

TEST_F(TrainSettings, AdafactorLearnsAndItsAdapterSaysSo) {
  train_whole({kAdafactor, "training.steps=40"});
  train_whole({"training.steps=40", "output=runs/adamw"});
  EXPECT_NE(prompt("out"), prompt("adamw"));
  const auto document = nlohmann::json::parse(adapter()["prescript.json"]);
  EXPECT_EQ(document["provenance"]["optimizer.name"], "adafactor");
  EXPECT_LT(document["metrics"]["validation_loss"],
            document["metrics"]["validation_loss_at_start"].get<double>() - 1);
}

TEST_F(TrainSettings, AdafactorResumedEqualsAnUninterruptedRun) {
  train_whole({kAdafactor, "output=runs/whole"});
  train_whole({kAdafactor, "training.steps=4"});
  train_whole({kAdafactor, "--resume"});
  EXPECT_EQ(adapter(), adapter("whole"));
  EXPECT_EQ(metrics(), metrics("whole"));
}

TEST_F(TrainSettings, ClassLabelsAreTheFirstRows) {
  const BaseModelFiles base = open_base_model(directory_ / "tiny");
  const auto D = static_cast<size_t>(base.config.hidden_size);
  const Arguments labels = {"soft_prompt.init={from: class_labels, labels: [\"Yes\", \"n\"]}"};
  const std::vector<double> found = first_prompt(labels);
  ASSERT_EQ(found.size(), 4 * D);
  // The tiny model's tokens are bytes.
  const std::vector<float> yes = base.embedding_rows({'Y', 'e', 's'});
  const std::vector<float> n = base.embedding_rows({'n'});
  for (size_t d = 0; d < D; ++d) {
    EXPECT_FLOAT_EQ(found[d], (yes[d] + yes[D + d] + yes[2 * D + d]) / 3) << d;
    EXPECT_EQ(found[D + d], n[d]) << d;
  }
  std::vector<int32_t> ordinary;
  for (int32_t id = 0; id < static_cast<int32_t>(base.tokenizer->vocabulary_size()); ++id) {
    if (!base.tokenizer->is_special(id)) ordinary.push_back(id);
  }
  const std::vector<float> rows = base.embedding_rows(ordinary);
  for (size_t p = 2; p < 4; ++p) {
    bool is_of_vocabulary = false;
    for (size_t i = 0; i < ordinary.size(); ++i) {
      is_of_vocabulary |= std::equal(&rows[i * D], &rows[i * D] + D, &found[p * D]);
    }
    EXPECT_TRUE(is_of_vocabulary) << "row " << p;
  }
  Arguments other_seed = labels;
  other_seed.push_back("training.seed=8");
  const std::vector<double> other = first_prompt(other_seed);
  EXPECT_TRUE(
      std::equal(other.begin(), other.begin() + static_cast<ptrdiff_t>(2 * D), found.begin()));
  EXPECT_NE(other, found) << "the others are drawn by seed";
}

TEST_F(TrainSettings, LabelsAreInTheProvenanceAndOnlyWhereThereAreSome) {
  const std::string key = "soft_prompt.init.labels";
  train_whole(
      {"soft_prompt.init={from: class_labels, labels: [\"Yes\", \"n\"]}", "training.steps=1"});
  auto provenance = nlohmann::json::parse(adapter()["prescript.json"])["provenance"];
  EXPECT_EQ(provenance[key], R"(["Yes", "n"])");
  train_whole({"training.steps=1", "output=runs/without"});
  provenance = nlohmann::json::parse(adapter("without")["prescript.json"])["provenance"];
  EXPECT_FALSE(provenance.contains(key));
  EXPECT_THAT(bytes_of_file(output("without") + "/checkpoints/step-00000001.safetensors"),
              Not(HasSubstr(key)))
      << "a checkpoint of before the key goes on";
}

TEST_F(TrainSettings, TheLearningRateFitsTheFirstSoftPromptsNumbers) {
  const auto rate_of = [&](const std::string& init) {
    const Arguments arguments = {"soft_prompt.init=" + init};
    const std::vector<double> first = first_prompt(arguments);
    const double squares = std::inner_product(first.begin(), first.end(), first.begin(), 0.0);
    const double root_mean_square = std::sqrt(squares / static_cast<double>(first.size()));
    train_whole({arguments[0], "optimizer.learning_rate=null", "training.steps=2", "--overwrite"});
    const double rate = resolved().optimizer.learning_rate.value();
    EXPECT_EQ(metrics()[1]["learning_rate"], rate);
    return rate / root_mean_square;
  };
  EXPECT_NEAR(rate_of("{from: uniform, scale: 3}"), 0.2, 0.01);
  EXPECT_NEAR(rate_of("{from: uniform, scale: 300}"), 0.2, 0.01);
  EXPECT_GT(rate_of("{from: uniform, scale: 1.0e-05}"), 1) << "that of the vocabulary is larger";
}

TEST_F(TrainSettings, AFittingLearningRateIsKeptByTheRunsThatGoOn) {
  const Arguments fitting = {"optimizer.learning_rate=auto"};
  train_whole({fitting[0], "output=runs/whole"});
  train_whole({fitting[0], "training.steps=4"});
  train_whole({fitting[0], "--resume"});
  EXPECT_EQ(adapter(), adapter("whole"));
  EXPECT_EQ(metrics(), metrics("whole"));
  // One that was set, as by a version whose default was a number, stays too.
  train_whole({"training.steps=4", "output=runs/set"});
  train_whole({fitting[0], "output=runs/set", "--resume"});
  EXPECT_EQ(resolved("set").optimizer.learning_rate, 0.05);
}

TEST_F(TrainSettings, AGoodRunIsNotWarnedAbout) {
  const ProcessResult result = train({"training.steps=110"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.err, Not(HasSubstr("warning")));
  EXPECT_TRUE(warnings().empty());
}

TEST_F(TrainSettings, WhatGoesWrongIsOnStderrAndInTheLogOnceAlsoWhenResumed) {
  const Arguments settings = {"optimizer.learning_rate=1.0e-07", "training.batch_size=12"};
  const auto with = [&](Arguments more) {
    more.insert(more.end(), settings.begin(), settings.end());
    return more;
  };
  const ProcessResult result = train(with({"training.steps=104", "output=runs/whole"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err,
              HasSubstr("\nwarning: learning rate 1e-07: step 1 moved the soft prompt "));
  EXPECT_THAT(result.err, HasSubstr("\nwarning: the training loss has not fallen in 100 steps"));
  const auto found = warnings("whole");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].first, 1);
  EXPECT_EQ(found[1].first, 100);

  train_whole(with({"training.steps=50"}));
  train_whole(with({"training.steps=104", "--resume"}));
  EXPECT_EQ(metrics(), metrics("whole"));
}

TEST_F(TrainSettings, AFirstSoftPromptFarFromTheVocabularysNormIsWarnedAbout) {
  const ProcessResult result =
      train({"soft_prompt.init={from: uniform, scale: 100}", "training.steps=1"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("warning: step 1: rows of the soft prompt have "));
  EXPECT_THAT(result.err, HasSubstr("uniform with scale: auto"));
}

TEST_F(TrainSettings, OfASearchTheCandidateIsNamed) {
  const ProcessResult result = train(
      {"search.learning_rate=[0.05, 50]", "optimizer.learning_rate=null", "training.steps=1"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("warning: candidate 2: learning rate 50: step 1 moved "));
  EXPECT_THAT(result.err, Not(HasSubstr("candidate 1: learning rate")));
}

}  // namespace
}  // namespace prescript
