#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapter/adapter_files.h"
#include "cli/program.h"
#include "rating/study.h"
#include "support/temporary_directory.h"

namespace prescript {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class RateCommand : public testing::Test {
 protected:
  RateCommand() {
    directory_.write("q.jsonl",
                     "{\"id\":\"1\",\"question\":\"Secret "
                     "one?\"}\n{\"id\":\"2\",\"question\":\"Secret two?\"}\n");
    directory_.write("clinician.jsonl",
                     "{\"id\":\"1\",\"question\":\"Secret one?\",\"answer\":\"By hand.\"}\n"
                     "{\"id\":\"2\",\"question\":\"Secret two?\",\"answer\":\"By hand.\"}\n");
    directory_.write("generated.jsonl",
                     "{\"id\":\"1\",\"adapter\":null,\"text\":\"Base.\"}\n{\"id\":\"2\","
                     "\"adapter\":null,\"text\":\"Base.\"}\n"
                     "{\"id\":\"1\",\"adapter\":\"care\",\"text\":\"Care.\"}\n{\"id\":\"2\","
                     "\"adapter\":\"care\",\"text\":\"Care.\"}\n");
  }

  ProcessResult rate(std::vector<std::string> arguments, ProcessOptions options = {}) const {
    arguments.insert(arguments.begin(), "rate");
    return run_prescript(arguments, std::move(options));
  }
  ProcessResult init(const std::string& name, std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"init",
                                          directory_ / name,
                                          "--source",
                                          "clinician=" + (directory_ / "clinician.jsonl"),
                                          "--source",
                                          "base=" + (directory_ / "generated.jsonl"),
                                          "--source",
                                          "care=" + (directory_ / "generated.jsonl")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return rate(arguments);
  }

  TemporaryDirectory directory_;
};

TEST_F(RateCommand, InitDrawsAStudyAndLeavesAnOccupiedOneAlone) {
  const auto made = init("s", {"--axes", "lay", "--limit", "1", "--seed", "3"});
  EXPECT_EQ(made.exit_code, 0) << made.err;
  EXPECT_THAT(made.err, HasSubstr("3 tasks of 1 question by 3 sources"));
  EXPECT_THAT(made.err, HasSubstr("1 question left out"));
  EXPECT_THAT(made.err, Not(HasSubstr("Secret")));
  const std::string before = bytes_of_file(directory_ / "s/study.sqlite");
  const auto again = init("s");
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_THAT(again.err, HasSubstr("something is there already"));
  EXPECT_EQ(bytes_of_file(directory_ / "s/study.sqlite"), before);
}

TEST_F(RateCommand, InitNamesMistakes) {
  EXPECT_EQ(rate({"init", directory_ / "x", "--source", "nonsense"}).exit_code, 2);
  EXPECT_EQ(rate({"init", directory_ / "x", "--source", "a=" + (directory_ / "none")}).exit_code,
            3);
  EXPECT_EQ(init("x", {"--axes", "feelings"}).exit_code, 2);
  EXPECT_EQ(init("x", {"--limit", "0"}).exit_code, 2);
  const auto adapter = init("x", {"--adapter", "other=" + directory_.path()});
  EXPECT_EQ(adapter.exit_code, 2);
  EXPECT_THAT(adapter.err, HasSubstr("no --source is named"));
  const auto no_question =
      rate({"init", directory_ / "x", "--source", "base=" + (directory_ / "generated.jsonl")});
  EXPECT_EQ(no_question.exit_code, 3);
  EXPECT_THAT(no_question.err, HasSubstr("--questions"));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "x"));
  EXPECT_EQ(rate({"init",
                  directory_ / "x",
                  "--source",
                  "base=" + (directory_ / "generated.jsonl"),
                  "--questions",
                  directory_ / "q.jsonl"})
                .exit_code,
            0);
}

TEST_F(RateCommand, ServePrintsItsAddressAndEndsOnASignal) {
  init("s");
  for (const int signal : {SIGTERM, SIGINT}) {
    ProcessOptions options;
    options.signal = signal;
    options.signal_on = "Ctrl-C";
    const auto served = rate({"serve", directory_ / "s", "--port", "0"}, options);
    EXPECT_EQ(served.exit_code, 0) << served.err;
    EXPECT_EQ(served.signal, 0);
    EXPECT_THAT(served.out, StartsWith("http://127.0.0.1:"));
    EXPECT_THAT(served.out, HasSubstr("/?key="));
  }
  EXPECT_EQ(rate({"serve", directory_ / "none"}).exit_code, 3);
  EXPECT_EQ(rate({"serve", directory_ / "s", "--port", "65536"}).exit_code, 2);
}

TEST_F(RateCommand, AStudyOnPaperComesBackAsCsv) {
  init("s", {"--axes", "lay"});
  const std::string study = directory_ / "s";
  EXPECT_EQ(rate({"form", study, "--rater", "r1", "--output", directory_ / "form.html"}).exit_code,
            0);
  EXPECT_THAT(bytes_of_file(directory_ / "form.html"), HasSubstr("Task 6"));
  EXPECT_EQ(rate({"form", study, "--rater", "Jane Doe", "--output", directory_ / "f"}).exit_code,
            2);
  const std::string csv = directory_.write(
      "in.csv", "rater,task,intent,helpfulness\nR1,1,addresses,not\nR1,2,does_not,helpful\n");
  const auto imported = rate({"import", study, "--input", csv});
  EXPECT_EQ(imported.exit_code, 0) << imported.err;
  EXPECT_THAT(imported.err, HasSubstr("2 ratings imported, 0 already there"));
  EXPECT_THAT(rate({"import", study, "--input", csv}).err,
              HasSubstr("0 ratings imported, 2 already there"));
  EXPECT_EQ(rate({"export", study, "--output", directory_ / "out.csv"}).exit_code, 0);
  const std::string exported = bytes_of_file(directory_ / "out.csv");
  EXPECT_THAT(exported, HasSubstr("R1,2,does_not,helpful,"));
  EXPECT_THAT(exported, Not(HasSubstr("care")));
  // All or nothing, and nothing is written over.
  const auto bad = rate(
      {"import",
       study,
       "--input",
       directory_.write("bad.csv",
                        "rater,task,intent,helpfulness\nR9,1,addresses,not\nR9,2,addresses,so\n")});
  EXPECT_EQ(bad.exit_code, 3);
  EXPECT_THAT(bad.err, HasSubstr("bad.csv:3:16"));
  const auto differs =
      rate({"import",
            study,
            "--input",
            directory_.write(
                "other.csv",
                "rater,task,intent,helpfulness\nR9,1,addresses,not\nR1,1,addresses,helpful\n")});
  EXPECT_EQ(differs.exit_code, 3);
  EXPECT_EQ(rate({"export", study, "--output", directory_ / "out.csv"}).exit_code, 2);
  rate({"export", study, "--output", directory_ / "after.csv"});
  EXPECT_EQ(bytes_of_file(directory_ / "after.csv"), exported);
}

TEST_F(RateCommand, ExemplarsGoThroughAStore) {
  const auto made =
      rate({"author", directory_ / "store", "--exemplars", directory_ / "clinician.jsonl"});
  EXPECT_EQ(made.exit_code, 0) << made.err;
  const auto exported = rate({"export", directory_ / "store", "--output", directory_ / "e.jsonl"});
  EXPECT_EQ(exported.exit_code, 0) << exported.err;
  EXPECT_THAT(exported.err, HasSubstr("0 accepted, 2 written and not reviewed"));
  EXPECT_THAT(bytes_of_file(directory_ / "e.jsonl"),
              HasSubstr("\"review\":{\"status\":\"written\",\"version\":1"));
}

class RateSelect : public RateCommand {
 protected:
  RateSelect() {
    for (const char* name : {"base", "care"}) {
      Adapter adapter;
      const float first = name[0] == 'b' ? 1 : 2;
      adapter.prompt = {.num_virtual_tokens = 1, .hidden_size = 2, .values_PD = {first, 3}};
      publish_adapter(adapter, directory_ / name);
      adapters_.insert(adapters_.end(),
                       {"--adapter", std::string(name) + "=" + (directory_ / name)});
    }
  }
  std::vector<std::string> adapters_;
};

TEST_F(RateSelect, CopiesTheAdapterThatPeopleRankFirst) {
  std::vector<std::string> more = {"--axes", "ranking"};
  more.insert(more.end(), adapters_.begin(), adapters_.end());
  EXPECT_EQ(init("s", more).exit_code, 0);
  const auto nobody = rate({"select", directory_ / "s", "--output", directory_ / "chosen"});
  EXPECT_EQ(nobody.exit_code, 2);
  EXPECT_THAT(nobody.err, HasSubstr("nobody has ranked"));
  // The letters' sources are in the study file alone: rank by it.
  std::string csv = "rater,task,A,B,C\n";
  const Study study(directory_ / "s");
  for (size_t task = 0; task < study.plan().tasks.size(); ++task) {
    csv += "R1," + std::to_string(task + 1);
    for (const StudyAnswer& answer : study.plan().tasks[task].answers) {
      csv += study.plan().sources[answer.source].name == "care" ? ",1" : ",2";
    }
    csv += "\n";
  }
  EXPECT_EQ(rate({"import", directory_ / "s", "--input", directory_.write("r.csv", csv)}).exit_code,
            0);
  const auto selected = rate({"select", directory_ / "s", "--output", directory_ / "chosen"});
  EXPECT_EQ(selected.exit_code, 0) << selected.err;
  EXPECT_THAT(selected.err, HasSubstr("care ranks first"));
  for (const char* file :
       {"/adapter_model.safetensors", "/adapter_config.json", "/prescript.json"}) {
    EXPECT_EQ(bytes_of_file(directory_ / "chosen" + file),
              bytes_of_file(directory_ / "care" + file));
  }
  EXPECT_EQ(rate({"select", directory_ / "s", "--output", directory_ / "chosen"}).exit_code, 2);
  EXPECT_EQ(
      rate({"select", directory_ / "s", "--output", directory_ / "x", "--source", "clinician"})
          .exit_code,
      2);
  EXPECT_EQ(rate({"report", directory_ / "s", "--output", directory_ / "report"}).exit_code, 0);
  EXPECT_THAT(bytes_of_file(directory_ / "report/places.csv"), HasSubstr("\ncare,1,"));
  // Another adapter has taken the place of the one that was ranked.
  std::filesystem::remove_all(directory_ / "care");
  std::filesystem::copy(directory_ / "base", directory_ / "care");
  const auto changed = rate({"select", directory_ / "s", "--output", directory_ / "y"});
  EXPECT_EQ(changed.exit_code, 4);
  EXPECT_THAT(changed.err, HasSubstr("another adapter"));
}

TEST_F(RateCommand, ReportsNeedRatingsAndARoom) {
  init("s", {"--axes", "lay"});
  const auto none = rate({"report", directory_ / "s", "--output", directory_ / "report"});
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_THAT(none.err, HasSubstr("no rating yet"));
  EXPECT_EQ(rate({"report", directory_ / "s", "--output", directory_.path()}).exit_code, 2);
  EXPECT_EQ(rate({"select", directory_ / "s", "--output", directory_ / "x"}).exit_code, 2);
}

}  // namespace
}  // namespace prescript
