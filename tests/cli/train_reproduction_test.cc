// The same recipe gives the same run; another way of computing it differs by rounding.

#include "cli/train_run.h"
#include "support/tolerance.h"

namespace prescript {
namespace {

using testing::HasSubstr;
using testing::Not;

class TrainReproduction : public TrainRun {};

TEST_F(TrainReproduction, TheResolvedRecipeGivesTheSameAdapterByteForByte) {
  train_whole();
  const ProcessResult again = train_with({output() + "/recipe.yaml", "output=" + output("new")});
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(adapter("new"), adapter());
  EXPECT_EQ(metrics("new"), metrics());
}

TEST_F(TrainReproduction, WhatIsAutoIsRecordedInTheResolvedRecipe) {
  std::string recipe = bytes_of_file(directory_ / "recipe.yaml");
  for (const std::string key : {"threads", "memory_gb", "micro_batch_tokens"}) {
    const size_t begin = recipe.find("  " + key);
    recipe.erase(begin, recipe.find('\n', begin) + 1 - begin);
  }
  directory_.write("recipe.yaml", recipe);
  train_whole();
  const std::string resolved = bytes_of_file(output() + "/recipe.yaml");
  EXPECT_THAT(resolved, Not(HasSubstr("auto")));
  const ProcessResult again = train_with({output() + "/recipe.yaml", "output=runs/new"});
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(adapter("new"), adapter());
  EXPECT_EQ(bytes_of_file(output("new") + "/recipe.yaml"),
            std::string(resolved).replace(resolved.find("runs/out"), 8, "runs/new"));
}

TEST_F(TrainReproduction, TheSameRecipeGivesTheSameBitsInBothDtypesWhereverWeightsAre) {
  for (const std::string dtype : {"fp32", "bf16"}) {
    train_whole({"dtype=" + dtype, "output=runs/1" + dtype});
    train_whole({"dtype=" + dtype, "output=runs/2" + dtype});
    EXPECT_EQ(adapter("1" + dtype), adapter("2" + dtype));
    EXPECT_EQ(metrics("1" + dtype), metrics("2" + dtype));
    for (const std::string where : {"weights.format=as_stored", "weights.residence=streamed"}) {
      train_whole({"dtype=" + dtype, where, "output=runs/3" + dtype, "--overwrite"});
      EXPECT_EQ(adapter("3" + dtype), adapter("1" + dtype)) << where;
      EXPECT_EQ(metrics("3" + dtype), metrics("1" + dtype)) << where;
    }
  }
  EXPECT_NE(adapter("1fp32"), adapter("1bf16"));
}

TEST_F(TrainReproduction, RowsOfAPassAndSharingChangeResultsByRoundingOnly) {
  train_whole();
  for (const std::string change : {"micro_batch_tokens=128", "share=false"}) {
    train_whole({"training." + change, "output=runs/" + change});
    // Adam divides by the gradient's own size, which shows rounding in its smallest elements.
    EXPECT_LE(tolerance::norm_error(prompt(change), prompt("out")), 1e-3) << change;
    for (size_t i = 0; i < metrics().size(); ++i) {
      const std::string key = metrics()[i].contains("loss") ? "loss" : "validation_loss";
      EXPECT_NEAR(metrics(change)[i][key].get<double>() / metrics()[i][key].get<double>(), 1, 1e-4);
    }
  }
  EXPECT_GT(metrics("share=false")[1]["rows_computed"], metrics()[1]["rows_computed"]);
  train_whole({"training.seed=8", "output=runs/seed"});
  EXPECT_GT(tolerance::norm_error(prompt("seed"), prompt("out")), 0.1);
}

TEST_F(TrainReproduction, TextBeforeTheSoftPromptIsComputedOnceForTheWholeRun) {
  const Arguments with = {"soft_prompt.position=before_question", "data.instruction=Be kind."};
  const auto arguments = [&](const Arguments& more) {
    Arguments all = with;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  train_whole(arguments({"output=runs/shared"}));
  train_whole(arguments({"output=runs/unshared", "training.share=false"}));
  EXPECT_LE(tolerance::norm_error(prompt("shared"), prompt("unshared")), 1e-3);
  // Of the tiny model's template, before the question: "<s>user\nBe kind.\n\n", tokens are bytes.
  const int64_t head_start = 1 + 5 + 8 + 2;
  for (size_t i = 0; i < metrics("shared").size(); ++i) {
    const auto shared = metrics("shared")[i];
    const auto unshared = metrics("unshared")[i];
    if (!shared.contains("loss")) continue;
    EXPECT_EQ(unshared["rows_computed"], unshared["rows_unshared"]);
    EXPECT_LE(shared["rows_computed"].get<int64_t>(),
              unshared["rows_unshared"].get<int64_t>() - 5 * head_start);
    EXPECT_LT(shared["flops"], unshared["flops"]);
  }
}

}  // namespace
}  // namespace prescript
