// prescript audit beside what prescript score and generate say.

#include <map>

#include "cli/tiny_files.h"
#include "cli/train_run.h"
#include "text/canary.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;
using testing::Not;

class AuditCommand : public TrainRun {
 protected:
  ProcessResult command(Arguments arguments) const {
    ProcessOptions options;
    options.directory = directory_.path();
    options.environment.try_emplace("XDG_CACHE_HOME", directory_ / "cache");
    return run_prescript(std::move(arguments), std::move(options));
  }

  ProcessResult audit(const Arguments& more = {}) const {
    Arguments arguments = {"audit", "runs/out/adapter", "--model", "tiny"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return command(arguments);
  }

  ordered_json audit_json(Arguments more = {}) const {
    more.push_back("--json");
    const ProcessResult result = audit(more);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return ordered_json::parse(result.out);
  }

  /// The mean loss of each exemplar by prescript score, by its id.
  std::map<std::string, double> losses(const std::string& file, const Arguments& more) const {
    Arguments arguments = {
        "score", "--model", "tiny", "--input", file, "--json", "--dtype", "fp32"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProcessResult result = command(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    std::map<std::string, double> losses;
    for (const auto& line : json_lines(result.out)) {
      losses[line["id"]] = -line["log_likelihood"].get<double>() / line["num_tokens"].get<double>();
    }
    return losses;
  }
};

/// The share of pairs in which the member has the lower value.
double pairs_in_order(const std::map<std::string, double>& members,
                      const std::map<std::string, double>& others) {
  double sum = 0;
  for (const auto& [id, member] : members) {
    for (const auto& [other_id, other] : others) {
      sum += member < other ? 1 : member == other ? 0.5 : 0;
    }
  }
  return sum / static_cast<double>(members.size() * others.size());
}

double mean(const std::map<std::string, double>& values) {
  double sum = 0;
  for (const auto& [id, value] : values) sum += value;
  return sum / static_cast<double>(values.size());
}

TEST_F(AuditCommand, LossesAreThoseOfScoreAndMembersThoseOfTheRun) {
  train_whole();
  const ordered_json found = audit_json({"--questions", "0"});
  EXPECT_EQ(found["members"], "train.jsonl");
  EXPECT_EQ(found["non_members"], "validation.jsonl");
  EXPECT_EQ(found["members_are_of_training"], true);
  EXPECT_EQ(found["non_members_chose_step"], true);
  EXPECT_EQ(found["canaries"].size(), 0U);
  EXPECT_EQ(found["epsilon"], nullptr);
  EXPECT_GT(found["does_not_show"].size(), 3U);
  const Arguments with = {"--adapter", "runs/out/adapter"};
  auto members = losses("train.jsonl", with);
  auto others = losses("validation.jsonl", with);
  const auto& membership = found["membership"];
  EXPECT_EQ(membership["num_members"], 12);
  EXPECT_EQ(membership["num_non_members"], 3);
  EXPECT_NEAR(membership["member_loss"], mean(members), 1e-5);
  EXPECT_NEAR(membership["non_member_loss"], mean(others), 1e-5);
  EXPECT_NEAR(membership["by_loss"]["auc"]["value"], pairs_in_order(members, others), 1e-9);
  const auto base_of_members = losses("train.jsonl", {});
  const auto base_of_others = losses("validation.jsonl", {});
  EXPECT_NEAR(membership["member_base_loss"], mean(base_of_members), 1e-5);
  for (auto& [id, loss] : members) loss -= base_of_members.at(id);
  for (auto& [id, loss] : others) loss -= base_of_others.at(id);
  EXPECT_NEAR(membership["calibrated"]["auc"]["value"], pairs_in_order(members, others), 1e-9);
}

// Of one exemplar, after so many steps, the tiny model says the answer by heart.
TEST_F(AuditCommand, AnAnswerLearnedByHeartIsFoundWhole) {
  directory_.write("one.jsonl", exemplar_line("one", "Ill?", "No it is not."));
  train_whole({"data.train=one.jsonl",
               "data.validation=null",
               "dtype=fp32",
               "training.steps=400",
               "training.batch_size=1",
               "training.checkpoint_every=1000",
               "soft_prompt.num_virtual_tokens=8"});
  const Arguments options = {
      "--non-members", "validation.jsonl", "--samples", "1", "--max-new-tokens", "24"};
  const ordered_json found = audit_json(options);
  EXPECT_EQ(found["members"], "one.jsonl");
  const auto& runs = found["recitation"]["runs"];
  ASSERT_EQ(runs.size(), 3U);
  EXPECT_EQ(runs[0]["who"], "members");
  EXPECT_EQ(runs[0]["questions"], 1);
  EXPECT_EQ(runs[0]["mean_words"]["value"], 4);
  for (const char* run : {"longest_own", "longest_any"}) {
    EXPECT_EQ(runs[0][run]["words"], 4);
    EXPECT_EQ(runs[0][run]["characters"], 13);
    EXPECT_EQ(runs[0][run]["tokens"], 13) << "bytes";
    EXPECT_EQ(runs[0][run]["exemplar"], "one");
    EXPECT_FALSE(runs[0][run].contains("text"));
  }
  EXPECT_EQ(runs[1]["who"], "members, base model");
  EXPECT_EQ(runs[1]["longest_own"], nullptr);
  EXPECT_EQ(runs[2]["questions"], 3);
  Arguments shown = options;
  shown.push_back("--show");
  EXPECT_EQ(audit_json(shown)["recitation"]["runs"][0]["longest_own"]["text"], "No it is not.");
}

TEST_F(AuditCommand, APageIsWrittenWhereAsked) {
  train_whole({"canaries.count=1"});
  const ProcessResult result = audit({"--questions",
                                      "2",
                                      "--samples",
                                      "0",
                                      "--max-new-tokens",
                                      "4",
                                      "--alternatives",
                                      "3",
                                      "--output",
                                      "audit.html"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::string page = bytes_of_file(directory_ / "audit.html");
  EXPECT_THAT(page, HasSubstr("What this audit does not show"));
  EXPECT_THAT(page, HasSubstr(read_canaries(output() + "/canaries.jsonl")[0].name));
  EXPECT_THAT(page, Not(HasSubstr(kCanary)));
  const ProcessResult refused = audit({"--output", "nowhere/audit.html"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("--output: \"nowhere/audit.html\" is not the path"));
}

TEST_F(AuditCommand, ACanaryIsRankedAsScoreRanksIt) {
  train_whole({"canaries.count=2"});
  const ordered_json found = audit_json({"--questions", "0", "--alternatives", "15"});
  ASSERT_EQ(found["canaries"].size(), 2U);
  const auto canaries = read_canaries(output() + "/canaries.jsonl");
  for (size_t c = 0; c < canaries.size(); ++c) {
    std::string lines;
    for (const std::string& secret : alternative_secrets(canaries[c], 15, 1)) {
      Exemplar exemplar = canary_exemplar(canaries[c], secret);
      exemplar.id = secret;
      lines += exemplar_json(exemplar) + "\n";
    }
    Exemplar own = canary_exemplar(canaries[c], canaries[c].secret);
    own.id = "own";
    directory_.write("secrets.jsonl", lines + exemplar_json(own) + "\n");
    const auto scores = losses("secrets.jsonl", {"--adapter", "runs/out/adapter"});
    ASSERT_EQ(scores.size(), 16U);
    const auto rank = 1 + std::ranges::count_if(scores, [&](const auto& score) {
                        return score.second < scores.at("own");
                      });
    EXPECT_EQ(found["canaries"][c]["name"], canaries[c].name);
    EXPECT_EQ(found["canaries"][c]["adapter"]["rank"], rank);
    EXPECT_EQ(found["canaries"][c]["adapter"]["of"], 16);
  }
}

TEST_F(AuditCommand, TextOfExemplarsIsNotPrinted) {
  train_whole();
  const ProcessResult result = audit({"--samples", "1", "--max-new-tokens", "8"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("AUC "));
  EXPECT_THAT(result.out,
              HasSubstr("% of members (chance 25.0 %) without a false positive among 3 "
                        "non-members\n"));
  EXPECT_THAT(result.out, HasSubstr("  members, base model\n"));
  EXPECT_THAT(result.out, HasSubstr("they chose the step of the adapter"));
  EXPECT_THAT(result.out, HasSubstr("trained without"));
  EXPECT_THAT(result.out, HasSubstr("none was planted"));
  EXPECT_THAT(result.out, HasSubstr("It does not show"));
  EXPECT_THAT(result.out + result.err, Not(HasSubstr(kCanary)));
}

// The adapter of a private run holds no hash of its exemplars.
TEST_F(AuditCommand, PrivacyIsToldWithWhatWeakensIt) {
  const std::string privacy = "privacy={clip_norm: 0.5, noise: 1.3, delta: 1.0e-3}";
  train_whole({privacy});
  ProcessResult result = audit({"--questions", "0"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("train.jsonl, taken for the file that was trained on\n"));
  EXPECT_THAT(result.out, HasSubstr(" at delta 0.001, by the accountant\n"));
  const ordered_json found = audit_json({"--questions", "0"});
  EXPECT_EQ(found["members_are_of_training"], nullptr);
  EXPECT_GT(found["epsilon"], 0);
  EXPECT_EQ(found["noise_follows_recipe"], false);
  train_whole({privacy, "privacy.seed=3", "--overwrite"});
  result = audit({"--questions", "0"});
  EXPECT_THAT(result.out, HasSubstr("who knows that has no noise"));
}

TEST_F(AuditCommand, OtherMembersAndNonMembersAreSaidToBeOthers) {
  train_whole();
  directory_.write("some.jsonl", exemplar_line("some", "Ill?", "No."));
  directory_.write("others.jsonl", exemplar_line("other", "Well?", "Yes."));
  const ProcessResult result =
      audit({"--questions", "0", "--members", "some.jsonl", "--non-members", "others.jsonl"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out,
              HasSubstr("some.jsonl, by its hash not the file that was trained on; taken for "
                        "exemplars of it\n"));
  EXPECT_THAT(result.out, Not(HasSubstr("they chose the step")));
}

TEST_F(AuditCommand, WhatTheAdapterHoldsOpenlyIsSaidAndCountedApart) {
  train_whole({"data.few_shot=2"});
  const ordered_json found = audit_json({"--questions", "0"});
  EXPECT_EQ(found["few_shot"], 2);
  EXPECT_EQ(found["membership"]["num_members"], 10);
}

TEST_F(AuditCommand, ExemplarsThatCannotBeComparedAreRefused) {
  train_whole();
  ProcessResult result = audit({"--non-members", "train.jsonl"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("it is the file that the adapter was trained on, by its hash"));
  directory_.write("mixed.jsonl", validation_lines() + training_lines());
  result = audit({"--non-members", "mixed.jsonl"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("members and non-members must be different exemplars"));
  directory_.write("train.jsonl", training_lines() + exemplar_line("new", "Ill?", "No."));
  result = audit();
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("not the file any more that the adapter was trained on"));
  std::filesystem::copy(output() + "/adapter", directory_ / "alone");
  result = command({"audit", "alone", "--model", "tiny"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("--members: alone does not lie in the directory of its run"));
  result = command({"audit", "alone", "--model", "tiny", "--members", "train.jsonl"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("--non-members: name exemplars"));
}

}  // namespace
}  // namespace prescript
