#include "evaluate/ask.h"

#include <gtest/gtest.h>

namespace prescript {
namespace {

std::vector<std::string> names_of(const Task& task) {
  std::vector<std::string> names;
  for (const NeededComputation& needed : needed_computations(task)) {
    names.push_back(std::string(name_of(needed.prompt)) + " " + name_of(needed.computation));
  }
  return names;
}

// What `ask` computes is held against score and generate in tests/cli/evaluate_test.cc.
TEST(NeededComputations, ServeEveryStrategyOnce) {
  Task task;
  task.strategies = {Strategy::kZeroShot, Strategy::kFewShot};
  task.use_text = true;
  EXPECT_EQ(names_of(task), (std::vector<std::string>{"zero_shot options", "few_shot options"}));
  task.use_generation = true;
  task.strategies = {Strategy::kZeroShot,
                     Strategy::kChainOfThought,
                     Strategy::kSelfConsistency,
                     Strategy::kSelectivePrediction};
  EXPECT_EQ(names_of(task),
            (std::vector<std::string>{"zero_shot options",
                                      "zero_shot answer",
                                      "chain_of_thought answer",
                                      "chain_of_thought samples"}));
  task.kind = TaskKind::kLongForm;
  EXPECT_EQ(names_of(task), (std::vector<std::string>{"zero_shot answer"}));
}

TEST(NeededComputations, SelfConsistencyVotesOverTheSamplesOfSelectivePrediction) {
  Task task;
  task.strategies = {Strategy::kSelfConsistency};
  EXPECT_EQ(num_samples_of(task, 11, 41), 11);
  task.strategies.push_back(Strategy::kSelectivePrediction);
  EXPECT_EQ(num_samples_of(task, 11, 41), 41);
  EXPECT_EQ(num_samples_of(task, 50, 41), 50);
}

}  // namespace
}  // namespace prescript
