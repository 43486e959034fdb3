// `prescript train` where blocks of memory from some size on are not to be had, though its plan
// counts on them: other programs took them since.

#include "cli/train_run.h"
#include "support/fault.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class TrainMemory : public TrainRun {
 protected:
  TrainMemory() {
    // Its weights take less than the activations of half a step.
    write_tiny_model(directory_ / "tiny", {.hidden_size = 128, .feed_forward_size = 512});
  }

  /// Of a run with large steps, in passes of `rows`.
  static Arguments arguments(const std::string& rows, const Arguments& more = {}) {
    Arguments all = {"training.micro_batch_tokens=" + rows,
                     "training.batch_size=12",
                     "training.share=false",
                     "training.steps=3"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  /// With less than `share` of what the activations of a step take in a single block.
  ProcessResult train_within(double share, const std::string& rows) const {
    Arguments estimate = arguments(rows, {"--json"});
    estimate.insert(estimate.begin(), {"estimate", "recipe.yaml"});
    ProcessOptions options;
    options.directory = directory_.path();
    const auto facts = ordered_json::parse(run_prescript(estimate, options).out);
    const double bytes = facts["memory"]["activation_bytes"];
    auto environment = fault_environment({.root = directory_.path()});
    environment["FAULT_MAPPED_BYTES"] = std::to_string(static_cast<uint64_t>(share * bytes));
    return train(arguments(rows), {.environment = environment});
  }

  /// The rows of a pass in the recipe of the run.
  std::string recorded_rows() const {
    const std::string recipe = bytes_of_file(output() + "/recipe.yaml");
    const std::string key = "micro_batch_tokens: ";
    const size_t begin = recipe.find(key) + key.size();
    return recipe.substr(begin, recipe.find('\n', begin) - begin);
  }
};

TEST_F(TrainMemory, ThatIsTooLittleForAStepMeansSmallerPasses) {
  const ProcessResult result = train_within(0.9, "null");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::string rows = recorded_rows();
  EXPECT_THAT(result.err,
              AllOf(HasSubstr("warning: mmap of "),
                    HasSubstr("; going on with at most " + rows + " rows at a time")));
  EXPECT_LT(std::stoi(rows), 2048);

  // It is the run that asks for such passes, and goes on as that.
  train_whole(arguments(rows, {"output=runs/asked"}));
  EXPECT_EQ(metrics(), metrics("asked"));
  EXPECT_EQ(prompt(), prompt("asked"));
  Arguments longer = arguments("null", {"--resume"});
  std::replace(longer.begin(),
               longer.end(),
               std::string("training.steps=3"),
               std::string("training.steps=5"));
  train_whole(longer);
  EXPECT_EQ(recorded_rows(), rows);
}

TEST_F(TrainMemory, ThatIsTooLittleEvenThenIsExitFiveWithWhatThePlanWasFor) {
  const ProcessResult result = train_within(0.45, "null");
  EXPECT_EQ(result.exit_code, 5) << result.err;
  EXPECT_THAT(result.err,
              AllOf(HasSubstr("; going on with at most "),
                    HasSubstr("the plan was for process "),
                    HasSubstr(", activations ")));
  train_whole(arguments("null", {"--resume"}));
}

TEST_F(TrainMemory, PassesThatTheRecipeAsksForAreNotChanged) {
  const ProcessResult result = train_within(0.9, "2048");
  EXPECT_EQ(result.exit_code, 5);
  EXPECT_THAT(result.err,
              AllOf(HasSubstr("the plan was for process "), Not(HasSubstr("going on"))));
}

}  // namespace
}  // namespace prescript
