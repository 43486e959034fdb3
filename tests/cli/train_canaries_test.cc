// Canaries among the exemplars of a run.

#include <sys/stat.h>

#include "cli/train_run.h"
#include "text/canary.h"

namespace prescript {
namespace {

using testing::HasSubstr;
using testing::Not;

class TrainCanaries : public TrainRun {};

TEST_F(TrainCanaries, AreTrainedOnAndKeptInTheRunForItsOwner) {
  const ProcessResult result = train({"canaries={count: 2, repetitions: 3}"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("the adapter learns 2 canary exemplars"));
  const auto canaries = read_canaries(output() + "/canaries.jsonl");
  ASSERT_EQ(canaries.size(), 2U);
  struct stat status {};
  ASSERT_EQ(::stat((output() + "/canaries.jsonl").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  const auto document = nlohmann::json::parse(adapter()["prescript.json"]);
  EXPECT_EQ(document["provenance"]["num_exemplars"], "18");
  EXPECT_EQ(document["provenance"]["canaries.count"], "2");
  EXPECT_THAT(adapter()["prescript.json"], Not(HasSubstr(canaries[0].secret)));
  train_whole({"output=runs/usual"});
  EXPECT_NE(prompt(), prompt("usual"));
  EXPECT_FALSE(std::filesystem::exists(output("usual") + "/canaries.jsonl"));
}

TEST_F(TrainCanaries, OfADroppedRunAreGone) {
  train_whole({"canaries.count=1"});
  train_whole({"--overwrite"});
  EXPECT_FALSE(std::filesystem::exists(output() + "/canaries.jsonl"));
}

TEST_F(TrainCanaries, TheIdOfOneIsTaken) {
  const Canary first = draw_canaries(1, 7)[0];
  directory_.write("train.jsonl",
                   training_lines() + exemplar_line("canary-" + first.name, "Ill?", "No."));
  const ProcessResult result = train({"canaries.count=1"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("train.jsonl:13: the id \"canary-" + first.name));
}

}  // namespace
}  // namespace prescript
