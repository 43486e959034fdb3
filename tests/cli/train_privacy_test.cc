// Where the text of exemplars may be, and who may read a run.

#include <sys/stat.h>

#include "cli/train_run.h"

namespace prescript {
namespace {

using testing::HasSubstr;
using testing::Not;

class TrainPrivacy : public TrainRun {};

TEST_F(TrainPrivacy, EverythingIsForItsOwnerOnly) {
  train_whole();
  for (const auto& [name, bytes] : files_below(output())) {
    struct stat status {};
    ASSERT_EQ(::stat((output() + "/" + name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, name.ends_with('/') ? 0700U : 0600U) << name;
  }
}

TEST_F(TrainPrivacy, NoExemplarTextLeavesTheRun) {
  const ProcessResult result = train();
  ASSERT_EQ(result.exit_code, 0);
  std::string all = result.out + result.err;
  for (const auto& [name, bytes] : files_below(output())) all += bytes;
  for (const auto& [name, bytes] : files_below(directory_ / "cache")) all += bytes;
  EXPECT_THAT(all, Not(HasSubstr(kCanary)));
  EXPECT_THAT(all, Not(HasSubstr("beetle")));
}

TEST_F(TrainPrivacy, ErrorsHoldNoExemplarTextEither) {
  const std::string bad = std::string("a ") + kCanary;
  for (const std::string& line : {exemplar_line("t0", bad, bad),  // the id is taken
                                  exemplar_line("new", bad, ""),  // no answer
                                  exemplar_line("new", bad, "<|im_end|>" + bad),
                                  "{\"question\": \"" + bad + "\"\n"}) {  // no JSON
    directory_.write("train.jsonl", training_lines() + line);
    const ProcessResult result = train();
    EXPECT_EQ(result.exit_code, 3) << result.err;
    EXPECT_THAT(result.err, HasSubstr("train.jsonl:13"));
    EXPECT_THAT(result.out + result.err, Not(HasSubstr(kCanary)));
  }
}

TEST_F(TrainPrivacy, FewShotTextInTheAdapterIsAnnounced) {
  const ProcessResult result = train({"data.few_shot=2"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("text of 2 few-shot exemplars"));
  const auto document = nlohmann::json::parse(adapter()["prescript.json"]);
  EXPECT_EQ(document["hard_prompt"]["few_shot"].size(), 2U);
  EXPECT_EQ(document["provenance"]["num_exemplars"], "10");
  EXPECT_THAT(adapter()["prescript.json"], HasSubstr(kCanary));
  EXPECT_THAT(adapter()["adapter_config.json"], Not(HasSubstr(kCanary)));
}

}  // namespace
}  // namespace prescript
