#include "rating/study.h"

#include <csignal>
#include <set>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rating/small_study.h"
#include "support/expect_error.h"

namespace prescript {
namespace {

constexpr const char* kTime = "2026-11-27T17:40:00Z";

TEST(Study, HoldsItsPlan) {
  const TemporaryDirectory directory;
  StudyPlan plan = small_plan(StudyKind::kRanking, UINT64_MAX);
  plan.sources[0].adapter_dir = "/a dir";
  plan.sources[0].adapter_hash = "abc";
  plan.tasks[0].answers[0].text = "";
  create_study(directory / "s", plan);
  const Study study(directory / "s");
  EXPECT_EQ(study.plan().kind, plan.kind);
  EXPECT_EQ(study.plan().seed, plan.seed);
  EXPECT_EQ(study.plan().sources, plan.sources);
  EXPECT_EQ(study.plan().tasks, plan.tasks);
  EXPECT_EQ(study.axes().size(), 2u);
  EXPECT_EQ(study.access_key().size(), 32u);
  EXPECT_EQ(study.name().size(), 8u);
}

TEST(Study, EachRaterHasAnOrderThatStays) {
  const TemporaryDirectory directory;
  const Study study(new_small_study(directory, StudyKind::kClinician));
  std::set<std::vector<size_t>> orders;
  for (const char* rater : {"R1", "R2", "R3", "R4"}) {
    auto order = study.order(rater);
    EXPECT_EQ(order, Study(directory / "study").order(rater));
    orders.insert(order);
    std::sort(order.begin(), order.end());
    EXPECT_EQ(order, (std::vector<size_t>{0, 1, 2, 3, 4, 5}));
  }
  EXPECT_GT(orders.size(), 2u);
}

TEST(Study, TheLatestRatingCountsAndAnEqualOneIsNotKeptAgain) {
  const TemporaryDirectory directory;
  Study study(new_small_study(directory, StudyKind::kClinician));
  EXPECT_TRUE(study.ratings().empty());
  const Rating first{"R1", 2, every_axis(study, 0), kTime};
  const Rating again{"R1", 2, every_axis(study, 0), "2026-11-28T00:00:00Z"};
  const Rating corrected{"R1", 2, every_axis(study, 1), "2026-11-29T00:00:00Z"};
  const Rating other{"R2", 2, every_axis(study, 2), kTime};
  study.submit(first);
  study.submit(again);
  EXPECT_EQ(study.ratings(), std::vector<Rating>{first});
  study.submit(std::vector<Rating>{corrected, other});
  EXPECT_EQ(study.ratings(), (std::vector<Rating>{corrected, other}));
  EXPECT_EQ(study.ratings_of("R1"), (std::map<size_t, Rating>{{2, corrected}}));
  study.submit(first);  // back again: a third revision
  EXPECT_EQ(study.ratings_of("R1").at(2), first);
  Database database = Database::open(directory / "study/study.sqlite", 0x70727374);
  Statement revisions =
      database.prepare("SELECT count(DISTINCT revision) FROM rating WHERE rater = 'R1'");
  ASSERT_TRUE(revisions.step());
  EXPECT_EQ(revisions.integer(0), 3);
}

TEST(Study, OnlyWholeRatingsAreKept) {
  const TemporaryDirectory directory;
  Study study(new_small_study(directory, StudyKind::kClinician));
  Choices missing = every_axis(study, 0);
  missing.erase("bias");
  Choices unknown = every_axis(study, 0);
  unknown["bias"] = "maybe";
  Choices more = every_axis(study, 0);
  more["mood"] = "yes";
  EXPECT_EQ(study.problem_with(every_axis(study, 0)), "");
  for (const Choices& choices : {missing, unknown, more, Choices{}}) {
    EXPECT_NE(study.problem_with(choices), "");
    EXPECT_THROW(study.submit({"R1", 0, choices, kTime}), ContractError);
  }
  EXPECT_THROW(study.submit(std::vector<Rating>{{"R1", 0, every_axis(study, 0), kTime},
                                                {"R1", 99, every_axis(study, 0), kTime}}),
               ContractError);
  EXPECT_TRUE(study.ratings().empty());
}

TEST(Study, TwoProcessesMayWrite) {
  const TemporaryDirectory directory;
  Study one(new_small_study(directory, StudyKind::kLay));
  Study two(directory / "study");
  one.submit({"R1", 0, every_axis(one, 0), kTime});
  two.submit({"R2", 0, every_axis(one, 1), kTime});
  EXPECT_EQ(one.ratings().size(), 2u);
}

// What submit has returned from is there, wherever the process dies after it.
TEST(Study, KilledWhileSubmittingItLosesNothingSubmitted) {
  const TemporaryDirectory directory;
  const std::string dir = new_small_study(directory, StudyKind::kClinician);
  for (const int delay_us : {1'000, 5'000, 20'000, 60'000}) {
    int submitted[2];
    ASSERT_EQ(::pipe(submitted), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      Study study(dir);
      const char ready = 'r';
      if (::write(submitted[1], &ready, 1) != 1) ::_exit(1);
      for (uint32_t n = 0;; ++n) {
        study.submit({"K" + std::to_string(delay_us), n % 6u, every_axis(study, n / 6u), kTime});
        if (::write(submitted[1], &n, sizeof n) != sizeof n) ::_exit(1);
      }
    }
    ::close(submitted[1]);
    char ready = 0;
    ASSERT_EQ(::read(submitted[0], &ready, 1), 1);
    ::usleep(static_cast<useconds_t>(delay_us));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    std::vector<uint32_t> acknowledged;
    for (uint32_t n; ::read(submitted[0], &n, sizeof n) == sizeof n;) acknowledged.push_back(n);
    ::close(submitted[0]);
    const size_t count = acknowledged.size();
    Study study(dir);
    const auto ratings = study.ratings_of("K" + std::to_string(delay_us));
    for (size_t i = count >= 6 ? count - 5 : 0; i < count;
         ++i) {  // of each task the last but the torn one
      const uint32_t n = acknowledged[i];
      EXPECT_TRUE(ratings.contains(n % 6u)) << delay_us << " " << count;
      EXPECT_EQ(ratings.at(n % 6u).choices, every_axis(study, n / 6u)) << delay_us << " " << count;
    }
    EXPECT_GE(ratings.size(), std::min<size_t>(count, 6));
  }
}

TEST(Study, OtherDirectoriesAreRefused) {
  const TemporaryDirectory directory;
  expect_input_error(
      ExitCode::kData, "study.sqlite: cannot open", [&] { Study(directory.path()); });
  const std::string dir = new_small_study(directory, StudyKind::kLay);
  {
    Database database = Database::open(dir + "/study.sqlite", 0x70727374);
    database.execute("UPDATE study SET kind = 'other'");
  }
  expect_input_error(ExitCode::kData, "damaged", [&] { Study study(dir); });
}

TEST(Study, RatingsThatCannotBeAreRefused) {
  const TemporaryDirectory directory;
  const std::string dir = new_small_study(directory, StudyKind::kLay);
  Study study(dir);
  study.submit({"R1", 0, every_axis(study, 0), kTime});
  {
    Database database = Database::open(dir + "/study.sqlite", 0x70727374);
    database.execute("UPDATE rating SET choice = 'other' WHERE axis = 'intent'");
  }
  expect_input_error(ExitCode::kData, "is damaged", [&] { study.ratings(); });
}

}  // namespace
}  // namespace prescript
