#include "train/run_log.h"

#include <cmath>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/temporary_directory.h"

namespace prescript {
namespace {

class RunLogFiles : public testing::Test {
 protected:
  RunLog open(uint64_t metrics_bytes = 0, uint64_t events_bytes = 0) const {
    return {1, metrics_, metrics_bytes, events_, events_bytes};
  }

  std::vector<std::string> lines() const {
    std::istringstream text(bytes_of_file(metrics_));
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);) {
      lines.push_back(nlohmann::ordered_json::parse(line).dump());
    }
    return lines;
  }

  TemporaryDirectory directory_;
  std::string metrics_ = directory_ / "metrics.jsonl";
  std::string events_ = directory_ / "events";
};

StepReport report(int64_t step) {
  return {.step = step,
          .candidates = {{.loss = 2.5, .gradient_norm = 0.125, .learning_rate = 0.003}},
          .seconds = 1.5,
          .phases = {0.5, 0.125, 0.75},
          .rows_computed = 100,
          .rows_unshared = 300,
          .rows_padded = 400,
          .flops = 3e12,
          .peak_flops_per_second = 8e12};
}

ValidationReport validation(int64_t step, double loss) {
  return {.step = step, .candidates = {{.loss = loss}}};
}

TEST_F(RunLogFiles, OfSeveralCandidatesEachHasLinesAndTheStepHasOne) {
  {
    RunLog log(3, metrics_, 0, events_, 0);
    StepReport step = report(7);
    step.candidates = {{.candidate = 0, .loss = 1, .gradient_norm = 2, .learning_rate = 3},
                       {.candidate = 2, .loss = NAN, .gradient_norm = 5, .learning_rate = 6}};
    log.add(step);
    log.add(ValidationReport{
        .step = 7, .candidates = {{.candidate = 0, .loss = 4}, {.candidate = 2, .loss = 5}}});
  }
  const auto found = lines();
  ASSERT_EQ(found.size(), 5U);
  EXPECT_EQ(found[0], R"({"step":7,"candidate":1,"loss":1,"grad_norm":2,"learning_rate":3})");
  EXPECT_EQ(found[1], R"({"step":7,"candidate":3,"loss":null,"grad_norm":5,"learning_rate":6})");
  EXPECT_TRUE(found[2].starts_with(R"({"step":7,"seconds":1.5,"seconds_forward":0.5,)"))
      << found[2];
  EXPECT_EQ(found[3], R"({"step":7,"candidate":1,"validation_loss":4})");
  EXPECT_EQ(found[4], R"({"step":7,"candidate":3,"validation_loss":5})");
  for (const char* tag : {"loss/1", "grad_norm/3", "learning_rate/3", "validation_loss/3"}) {
    EXPECT_NE(bytes_of_file(events_).find(tag), std::string::npos) << tag;
  }
}

TEST_F(RunLogFiles, AWarningIsALineBehindItsStep) {
  StepReport step = report(7);
  step.candidates[0].warnings = {"a \"sign\"", "another"};
  open().add(step);
  const auto found = lines();
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[1], R"({"step":7,"warning":"a \"sign\""})");
  EXPECT_EQ(found[2], R"({"step":7,"warning":"another"})");
  RunLog log(2, metrics_, 0, events_, 0);
  step.candidates.push_back({.candidate = 1, .warnings = {"its own"}});
  log.add(step);
  EXPECT_EQ(lines().back(), R"({"step":7,"candidate":2,"warning":"its own"})");
}

TEST_F(RunLogFiles, AStepHasTheseKeysInThisOrder) {
  open().add(report(7));
  const auto line = nlohmann::ordered_json::parse(lines().at(0));
  std::vector<std::string> keys;
  for (const auto& [key, value] : line.items()) keys.push_back(key);
  EXPECT_EQ(keys,
            (std::vector<std::string>{"step",
                                      "loss",
                                      "grad_norm",
                                      "learning_rate",
                                      "seconds",
                                      "seconds_forward",
                                      "seconds_head",
                                      "seconds_backward",
                                      "rows_computed",
                                      "rows_unshared",
                                      "rows_padded",
                                      "flops",
                                      "flops_per_second",
                                      "share_of_peak",
                                      "peak_rss_bytes"}));
  EXPECT_EQ(line["step"], 7);
  EXPECT_EQ(line["loss"], 2.5);
  EXPECT_EQ(line["grad_norm"], 0.125);
  EXPECT_EQ(line["learning_rate"], 0.003);
  EXPECT_EQ(line["seconds"], 1.5);
  EXPECT_EQ(line["seconds_forward"], 0.5);
  EXPECT_EQ(line["seconds_head"], 0.125);
  EXPECT_EQ(line["seconds_backward"], 0.75);
  EXPECT_EQ(line["rows_computed"], 100);
  EXPECT_EQ(line["rows_unshared"], 300);
  EXPECT_EQ(line["rows_padded"], 400);
  EXPECT_EQ(line["flops"], 3e12);
  EXPECT_EQ(line["flops_per_second"], 2e12);
  EXPECT_EQ(line["share_of_peak"], 0.25);
  EXPECT_GT(line["peak_rss_bytes"], 1 << 20);
}

TEST_F(RunLogFiles, WithoutAPeakThereIsNoShareOfIt) {
  StepReport step = report(1);
  step.peak_flops_per_second = 0;
  open().add(step);
  EXPECT_TRUE(nlohmann::ordered_json::parse(lines().at(0))["share_of_peak"].is_null());
}

TEST_F(RunLogFiles, AValidationIsALineOfTwo) {
  open().add(validation(0, 2.25));
  EXPECT_EQ(lines(), std::vector<std::string>{R"({"step":0,"validation_loss":2.25})"});
}

TEST_F(RunLogFiles, AResumeCutsWhatTheCheckpointDoesNotHold) {
  uint64_t metrics_bytes = 0;
  uint64_t events_bytes = 0;
  {
    RunLog log = open();
    log.add(report(1));
    log.sync();
    metrics_bytes = log.metrics_bytes();
    events_bytes = log.events_bytes();
    log.add(report(2));
    log.add(validation(2, 1));
  }
  EXPECT_EQ(lines().size(), 3U);
  const std::string first_events = bytes_of_file(events_).substr(0, events_bytes);
  {
    RunLog log = open(metrics_bytes, events_bytes);
    EXPECT_EQ(log.metrics_bytes(), metrics_bytes);
    EXPECT_EQ(bytes_of_file(events_), first_events);
    log.add(validation(1, 3));
  }
  ASSERT_EQ(lines().size(), 2U);
  EXPECT_EQ(lines()[1], R"({"step":1,"validation_loss":3})");
  EXPECT_EQ(bytes_of_file(events_).substr(0, events_bytes), first_events);
}

TEST_F(RunLogFiles, EventsHoldTheScalarsUnderTheirNames) {
  open().add(report(1));
  open(0, 0).add(validation(1, 3));
  EXPECT_NE(bytes_of_file(events_).find("validation_loss"), std::string::npos);
  EXPECT_EQ(bytes_of_file(events_).find("grad_norm"), std::string::npos) << "0 begins anew";
  open(0, 0).add(report(1));
  for (const char* tag : {"loss", "grad_norm", "learning_rate"}) {
    EXPECT_NE(bytes_of_file(events_).find(tag), std::string::npos) << tag;
  }
}

}  // namespace
}  // namespace prescript
