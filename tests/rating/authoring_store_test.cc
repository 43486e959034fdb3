#include "rating/authoring_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/temporary_directory.h"
#include "text/exemplar.h"

namespace prescript {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kFile =
    "\xef\xbb\xbf{\"id\":\"open\",\"question\":\"Open?\",\"topic\":\"skin\"}\r\n"
    "\n"
    "{\"id\":\"with\",\"question\":\"With?\",\"context\":\"C.\",\"answer\":\"Yes.\",\"rationale\":"
    "\"R.\",\"extra\":{\"a\":[1]}}\n"
    "{\"id\":\"choice\",\"question\":\"Which?\",\"options\":{\"A\":\"x\",\"B\":\"y\"},\"answer\":"
    "\"B\","
    "\"review\":{\"status\":\"accepted\",\"version\":4,\"author\":\"A1\",\"written_at\":\"2026-01-"
    "01T00:00:00Z\","
    "\"reviewer\":\"B2\",\"reviewed_at\":\"2026-01-02T00:00:00Z\",\"reason\":\"Fine.\"}}\n";

class Authoring : public testing::Test {
 protected:
  Authoring() {
    create_authoring_store(directory_ / "s", directory_.write("e.jsonl", kFile));
    store_.emplace(directory_ / "s");
  }
  AuthoredExemplar get(int64_t number) { return store_->exemplar(number).value(); }
  std::vector<Exemplar> exported() {
    return parse_exemplars(exported_exemplars(store_->exemplars()), "out", /*need_answer=*/true);
  }

  TemporaryDirectory directory_;
  std::optional<AuthoringStore> store_;
};

TEST_F(Authoring, BeginsWithTheExemplarsOfAFile) {
  const auto exemplars = store_->exemplars();
  ASSERT_EQ(exemplars.size(), 3u);
  EXPECT_EQ(exemplars[0].status(), AuthoringStatus::kOpen);
  EXPECT_EQ(exemplars[1].status(), AuthoringStatus::kWritten);
  EXPECT_EQ(exemplars[1].question, "C.\n\nWith?");
  EXPECT_EQ(exemplars[1].versions[0].answer, "Yes.");
  EXPECT_EQ(exemplars[2].status(), AuthoringStatus::kAccepted);
  EXPECT_EQ(exemplars[2].letters, "AB");
  EXPECT_EQ(exemplars[2].versions[0].number, 4);
  EXPECT_EQ(exemplars[2].versions[0].author, "A1");
}

TEST_F(Authoring, AnAnswerIsWrittenAndAnotherPersonReviewsIt) {
  EXPECT_EQ(store_->review(1, 0, "B2", true, ""),
            AuthoringOutcome::kChangedMeanwhile);  // nothing there
  EXPECT_EQ(store_->write(1, 0, "A1", "First.", {}), AuthoringOutcome::kKept);
  EXPECT_EQ(get(1).status(), AuthoringStatus::kWritten);
  EXPECT_EQ(store_->review(1, 1, "A1", true, ""), AuthoringOutcome::kOwnAnswer);
  EXPECT_EQ(store_->review(1, 1, "B2", false, "Too short."), AuthoringOutcome::kKept);
  EXPECT_EQ(get(1).status(), AuthoringStatus::kRejected);
  EXPECT_EQ(store_->write(1, 1, "A1", "Second.", {}), AuthoringOutcome::kKept);
  EXPECT_EQ(get(1).status(), AuthoringStatus::kWritten);
  EXPECT_EQ(store_->review(1, 2, "B2", true, ""), AuthoringOutcome::kKept);
  const AuthoredExemplar done = AuthoringStore(directory_ / "s").exemplar(1).value();
  EXPECT_EQ(done.status(), AuthoringStatus::kAccepted);
  ASSERT_EQ(done.versions.size(), 2u);
  EXPECT_EQ(done.versions[0].reason, "Too short.");
  EXPECT_EQ(done.versions[0].answer, "First.");
}

TEST_F(Authoring, AReviewerWhoEditsBecomesTheAuthor) {
  store_->write(1, 0, "A1", "First.", {});
  EXPECT_EQ(store_->write(1, 1, "B2", "Edited.", {}), AuthoringOutcome::kKept);
  EXPECT_EQ(store_->review(1, 2, "B2", true, ""), AuthoringOutcome::kOwnAnswer);
  EXPECT_EQ(store_->review(1, 2, "A1", true, ""), AuthoringOutcome::kKept);
}

TEST_F(Authoring, NobodyOverwritesWhatTheyHaveNotSeen) {
  store_->write(1, 0, "A1", "First.", {});
  EXPECT_EQ(store_->write(1, 0, "B2", "Mine.", {}), AuthoringOutcome::kChangedMeanwhile);
  store_->write(1, 1, "A1", "Second.", {});
  EXPECT_EQ(store_->review(1, 1, "B2", true, ""), AuthoringOutcome::kChangedMeanwhile);
  store_->review(1, 2, "B2", true, "");
  EXPECT_EQ(store_->review(1, 2, "C3", false, "No."), AuthoringOutcome::kChangedMeanwhile);
  EXPECT_EQ(get(1).versions.size(), 2u);
  EXPECT_EQ(get(1).status(), AuthoringStatus::kAccepted);
  EXPECT_EQ(store_->review(1, 2, "B2", false, "On reflection."), AuthoringOutcome::kKept);
}

TEST_F(Authoring, SavingTwiceIsSavingOnce) {
  store_->write(1, 0, "A1", "First.", {});
  EXPECT_EQ(store_->write(1, 0, "A1", "First.", {}), AuthoringOutcome::kKept);
  EXPECT_EQ(get(1).versions.size(), 1u);
}

TEST_F(Authoring, ExportsWhatTrainReads) {
  store_->write(1, 0, "A1", "First \"line\"\nsecond ä.", {});
  store_->review(1, 1, "B2", true, "");
  const auto lines = exported();
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0].answer, "First \"line\"\nsecond ä.");
  EXPECT_EQ(lines[0].review, (ExemplarReview{ReviewStatus::kAccepted, 1, "A1", "B2"}));
  EXPECT_EQ(lines[1].context, "C.");
  EXPECT_EQ(lines[1].rationale, "R.");
  EXPECT_EQ(lines[1].unused_fields, std::vector<std::string>{"extra"});
  EXPECT_FALSE(is_accepted(lines[1]));
  EXPECT_EQ(lines[2].review, (ExemplarReview{ReviewStatus::kAccepted, 4, "A1", "B2"}));
  EXPECT_EQ(lines[2].options.size(), 2u);
}

TEST_F(Authoring, WhatIsExportedCanBeginAnotherStore) {
  store_->write(2, 1, "A1", "Better.", "Why.");
  store_->review(2, 2, "B2", false, "Not yet.");
  const std::string text = exported_exemplars(store_->exemplars());
  EXPECT_THAT(text, Not(HasSubstr("\"open\"")));  // no answer, nothing to export
  create_authoring_store(directory_ / "t", directory_.write("x.jsonl", text));
  AuthoringStore again(directory_ / "t");
  EXPECT_EQ(exported_exemplars(again.exemplars()), text);
}

TEST_F(Authoring, OtherFilesAreRefused) {
  const auto create = [&](const std::string& text) {
    create_authoring_store(directory_ / "new", directory_.write("bad.jsonl", text));
  };
  expect_input_error(ExitCode::kUsage, "something is there", [&] {
    create_authoring_store(directory_ / "s", directory_ / "e.jsonl");
  });
  expect_input_error(ExitCode::kData, "bad.jsonl:1: messages", [&] {
    create(R"({"messages":[{"role":"user","content":"Secret?"}]})");
  });
  expect_input_error(ExitCode::kData, "without a reviewer", [&] {
    create(R"({"question":"Q?","answer":"A","review":{"status":"accepted"}})");
  });
  EXPECT_FALSE(std::filesystem::exists(directory_ / "new"));
  expect_input_error(ExitCode::kData, "cannot open", [&] { AuthoringStore(directory_.path()); });
}

}  // namespace
}  // namespace prescript
