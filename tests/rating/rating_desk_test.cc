#include "rating/rating_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rating/html.h"
#include "rating/small_study.h"
#include "report/html.h"

namespace prescript {
namespace {

using testing::HasSubstr;
using testing::Not;

class RatingDeskTest : public testing::Test {
 protected:
  void make(StudyKind kind) {
    study_.emplace(new_small_study(directory_, kind));
    desk_.emplace(*study_);
  }

  HttpResponse get(const std::string& rater, std::vector<std::string> path) {
    return desk_->respond(rater, path, "GET", {});
  }
  HttpResponse post(const std::string& rater,
                    size_t number,
                    std::map<std::string, std::string> form) {
    return desk_->respond(rater, std::vector{std::to_string(number)}, "POST", form);
  }
  /// The form of the task at `number`, filled in with `choices`.
  std::map<std::string, std::string> filled(const std::string& rater,
                                            size_t number,
                                            Choices choices) {
    choices["task"] = std::to_string(study_->order(rater)[number - 1] + 1);
    return choices;
  }
  static std::string location(const HttpResponse& response) {
    EXPECT_EQ(response.status, 303u);
    for (const auto& [name, value] : response.headers) {
      if (name == "Location") return value;
    }
    return "";
  }

  TemporaryDirectory directory_;
  std::optional<Study> study_;
  std::optional<RatingDesk> desk_;
};

TEST_F(RatingDeskTest, LeadsThroughAllTasks) {
  make(StudyKind::kClinician);
  EXPECT_THAT(get("R1", {}).body, HasSubstr("Begin"));
  for (size_t number = 1; number <= 6; ++number) {
    EXPECT_EQ(location(get("R1", {"next"})), "/rater/R1/" + std::to_string(number));
    const std::string page = get("R1", {std::to_string(number)}).body;
    EXPECT_THAT(page, HasSubstr(std::to_string(number) + " of 6"));
    const StudyTask& task = study_->plan().tasks[study_->order("R1")[number - 1]];
    EXPECT_THAT(page, HasSubstr(task.question));
    EXPECT_EQ(location(post("R1", number, filled("R1", number, every_axis(*study_, number)))),
              "/rater/R1/next");
  }
  EXPECT_EQ(location(get("R1", {"next"})), "/rater/R1");
  EXPECT_THAT(get("R1", {}).body, HasSubstr("All 6 are done"));
  EXPECT_EQ(study_->ratings().size(), 6u);
  EXPECT_THAT(get("R2", {}).body, HasSubstr("Begin"));
}

TEST_F(RatingDeskTest, ShowsEveryAxisWithItsOptions) {
  make(StudyKind::kClinician);
  const std::string page = get("R1", {"1"}).body;
  for (const Axis& axis : study_->axes()) {
    EXPECT_THAT(page, HasSubstr(axis.key));
    for (const AxisOption& option : axis.options) {
      EXPECT_THAT(page, HasSubstr("name=\"" + axis.key + "\" value=\"" + option.key + "\""));
    }
  }
  EXPECT_THAT(page, Not(HasSubstr(" checked")));
}

TEST_F(RatingDeskTest, AnAnswerCanBeCorrected) {
  make(StudyKind::kLay);
  post("R1", 1, filled("R1", 1, every_axis(*study_, 0)));
  const std::string page = get("R1", {"1"}).body;
  EXPECT_THAT(page, HasSubstr("value=\"addresses\" required checked"));
  EXPECT_THAT(page, HasSubstr("Save"));
  EXPECT_THAT(get("R1", {"2"}).body, HasSubstr("data-back href=\"/rater/R1/1\""));
  post("R1", 1, filled("R1", 1, every_axis(*study_, 1)));
  ASSERT_EQ(study_->ratings().size(), 1u);
  EXPECT_EQ(study_->ratings()[0].choices, every_axis(*study_, 1));
}

TEST_F(RatingDeskTest, SubmittingTwiceIsSubmittingOnce) {
  make(StudyKind::kLay);
  const auto form = filled("R1", 1, every_axis(*study_, 0));
  EXPECT_EQ(location(post("R1", 1, form)), location(post("R1", 1, form)));
  EXPECT_EQ(study_->ratings().size(), 1u);
}

TEST_F(RatingDeskTest, OtherFormsAreRefusedAndNothingIsKept) {
  make(StudyKind::kLay);
  const auto whole = filled("R1", 1, every_axis(*study_, 0));
  const auto with = [&](const std::string& name, const std::string& value) {
    auto form = whole;
    form[name] = value;
    return post("R1", 1, form).status;
  };
  EXPECT_EQ(with("helpfulness", "very"), 422u);
  EXPECT_EQ(with("helpfulness", ""), 422u);
  EXPECT_EQ(with("mood", "good"), 422u);
  EXPECT_EQ(with("task", std::to_string(study_->order("R1")[1] + 1)), 409u);
  EXPECT_EQ(post("R1", 1, {}).status, 409u);
  auto missing = whole;
  missing.erase("intent");
  EXPECT_EQ(post("R1", 1, missing).status, 422u);
  EXPECT_EQ(post("R1", 99, whole).status, 404u);
  EXPECT_TRUE(study_->ratings().empty());
}

TEST_F(RatingDeskTest, OtherAddressesAreNotThere) {
  make(StudyKind::kLay);
  for (const char* number : {"0", "7", "-1", "01", "x", "99999999999999999999"}) {
    EXPECT_EQ(get("R1", {number}).status, 404u) << number;
  }
  EXPECT_EQ(get("R1", {"1", "2"}).status, 404u);
  EXPECT_EQ(desk_->respond("R1", {}, "POST", {}).status, 404u);
}

// No page may tell where an answer comes from, by a name or by a number that belongs to it.
TEST_F(RatingDeskTest, ThePagesOfTwoStudiesThatDifferInTheirSourcesAloneAreAlike) {
  const auto page_of = [](const std::string& other_name) {
    const TemporaryDirectory directory;
    StudyPlan plan = small_plan(StudyKind::kRanking);
    for (StudyTask& task : plan.tasks) {
      for (size_t i = 0; i < 2; ++i) task.answers[i].text = "Text " + std::to_string(i);
    }
    if (!other_name.empty()) {
      plan.sources[0].name = other_name;
      plan.sources[0].adapter_dir = "/home/adapters/" + other_name;
      for (StudyTask& task : plan.tasks) std::swap(task.answers[0].source, task.answers[1].source);
    }
    create_study(directory / "s", plan);
    Study study(directory / "s");
    RatingDesk desk(study);
    std::string pages;
    for (size_t number = 1; number <= 3; ++number) {
      pages += desk.respond("R1", std::vector{std::to_string(number)}, "GET", {}).body;
    }
    for (size_t at; (at = pages.find(study.name())) != std::string::npos;) pages.replace(at, 8, "");
    return pages;
  };
  EXPECT_EQ(page_of(""), page_of("secret"));
}

TEST_F(RatingDeskTest, ARankingShowsAllAnswersWithTheirPlaces) {
  make(StudyKind::kRanking);
  const std::string page = get("R1", {"1"}).body;
  const StudyTask& task = study_->plan().tasks[study_->order("R1")[0]];
  const size_t a = page.find(escape_html(task.answers[0].text));
  const size_t b = page.find(escape_html(task.answers[1].text));
  ASSERT_NE(a, std::string::npos);
  ASSERT_NE(b, std::string::npos);
  EXPECT_LT(a, b);
  EXPECT_THAT(page, HasSubstr("name=\"B\" value=\"2\""));
  EXPECT_EQ(post("R1", 1, filled("R1", 1, {{"A", "1"}, {"B", "1"}})).status, 303u);  // a tie
}

}  // namespace
}  // namespace prescript
