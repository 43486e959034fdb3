#include "rating/rating_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rating/small_study.h"
#include "support/expect_error.h"

namespace prescript {
namespace {

using testing::HasSubstr;
using testing::Not;

std::map<std::string, std::string> report_of(const StudyPlan& plan,
                                             const std::vector<Rating>& ratings) {
  return rating_report(plan, axes_of(plan), ratings, {.seed = 1, .replicas = 50, .level = 0.95});
}

/// Every task rated by two people: source 0 well, source 1 badly.
std::vector<Rating> all_rated(const StudyPlan& plan) {
  std::vector<Rating> ratings;
  for (const char* rater : {"R1", "R2"}) {
    for (size_t task = 0; task < plan.tasks.size(); ++task) {
      Rating rating{
          .rater = rater, .task = task, .choices = {}, .submitted_at = "2026-11-27T17:40:00Z"};
      const auto axes = axes_of(plan);
      for (size_t i = 0; i < axes.size(); ++i) {
        const size_t answer = plan.kind == StudyKind::kRanking ? i : 0;
        const bool is_good = plan.tasks[task].answers[answer].source == 0;
        rating.choices[axes[i].key] =
            axes[i]
                .options[is_good ? axes[i].favourable
                                 : (axes[i].favourable + 1) % axes[i].options.size()]
                .key;
      }
      ratings.push_back(rating);
    }
  }
  return ratings;
}

TEST(RatingReport, SaysInCsvWhatWasFound) {
  const StudyPlan plan = small_plan(StudyKind::kLay);
  const auto files = report_of(plan, all_rated(plan));
  EXPECT_EQ(files.at("shares.csv"),
            "axis,source,option,num_ratings,share,low,high\n"
            "intent,clinician,addresses,6,1,1,1\nintent,clinician,does_not,6,0,0,0\n"
            "intent,adapter,addresses,6,0,0,0\nintent,adapter,does_not,6,1,1,1\n"
            "helpfulness,clinician,helpful,6,1,1,1\nhelpfulness,clinician,somewhat,6,0,0,0\n"
            "helpfulness,clinician,not,6,0,0,0\nhelpfulness,adapter,helpful,6,0,0,0\n"
            "helpfulness,adapter,somewhat,6,1,1,1\nhelpfulness,adapter,not,6,0,0,0\n");
  EXPECT_THAT(files.at("comparisons.csv"),
              HasSubstr("intent,addresses,clinician,adapter,3,1,1,1\n"));
  EXPECT_THAT(files.at("agreement.csv"), HasSubstr("intent,6,1,1,1\n"));
  EXPECT_THAT(files.at("ratings.csv"),
              HasSubstr(",clinician,intent,addresses,2026-11-27T17:40:00Z\n"));
}

TEST(RatingReport, ThePageHoldsEveryAxisAndNoAnswer) {
  const StudyPlan plan = small_plan(StudyKind::kClinician);
  const std::string page = report_of(plan, all_rated(plan)).at("report.html");
  for (const Axis& axis : clinician_axes()) EXPECT_THAT(page, HasSubstr(axis.title));
  EXPECT_THAT(page, Not(HasSubstr("words on")));
  EXPECT_THAT(page, Not(HasSubstr("question?")));
  EXPECT_THAT(page, HasSubstr("R1 (6), R2 (6)"));
}

TEST(RatingReport, ARankingNamesItsFirst) {
  const StudyPlan plan = small_plan(StudyKind::kRanking);
  const auto files = report_of(plan, all_rated(plan));
  EXPECT_THAT(files.at("report.html"), HasSubstr("clinician ranks first, ahead of every other"));
  EXPECT_THAT(files.at("places.csv"),
              HasSubstr("\nclinician,1,1,1,1,1,1,,,,\nadapter,2,2,2,0,0,0,1,1,1,no\n"));
  EXPECT_THAT(files.at("pairs.csv"), HasSubstr("clinician,adapter,6,0,0,1,1,1\n"));
  EXPECT_THAT(files.at("ratings.csv"), HasSubstr(",clinician,place,1,"));
}

TEST(RatingReport, NeedsARating) {
  const StudyPlan plan = small_plan(StudyKind::kLay);
  expect_input_error(ExitCode::kUsage, "no rating yet", [&] { report_of(plan, {}); });
}

}  // namespace
}  // namespace prescript
