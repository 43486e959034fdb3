#include "rating/task_html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rating/small_study.h"

namespace prescript {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(TaskHtml, TextOfAnswersIsTextAndNeverMarkup) {
  const TemporaryDirectory directory;
  StudyPlan plan = small_plan(StudyKind::kLay);
  plan.tasks[0].question = "<script>alert(1)</script>";
  plan.tasks[0].answers[0].text = "<img src=x onerror=alert(1)> & \"quotes\"\nsecond line";
  plan.tasks[1].answers[0].text = "";
  create_study(directory / "s", plan);
  const Study study(directory / "s");
  const auto html = [&](size_t task) {
    return task_html(study, {.rater = "R1", .task = task, .number = 1, .total = 6, .done = 0}, {});
  };
  EXPECT_THAT(html(0), Not(HasSubstr("<script>")));
  EXPECT_THAT(html(0), Not(HasSubstr("<img")));
  EXPECT_THAT(
      html(0),
      HasSubstr("&lt;img src=x onerror=alert(1)&gt; &amp; &quot;quotes&quot;\nsecond line"));
  EXPECT_THAT(html(1), HasSubstr("This answer is empty"));
}

TEST(TaskHtml, ThePaperFormHasEveryTaskAndWhatTheCsvNeeds) {
  const TemporaryDirectory directory;
  const Study study(new_small_study(directory, StudyKind::kRanking));
  const std::string paper = paper_html(study, "R1");
  std::vector<size_t> places;
  for (const size_t task : study.order("R1")) {
    places.push_back(paper.find("<h2>Task " + std::to_string(task + 1) + "</h2>"));
  }
  EXPECT_TRUE(std::is_sorted(places.begin(), places.end()));
  EXPECT_NE(places.back(), std::string::npos);
  EXPECT_THAT(paper, HasSubstr("(B)"));
  EXPECT_THAT(paper, Not(HasSubstr("http")));
  EXPECT_THAT(paper, Not(HasSubstr("page.js")));
}

}  // namespace
}  // namespace prescript
