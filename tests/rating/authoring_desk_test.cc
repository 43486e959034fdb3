#include "rating/authoring_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/temporary_directory.h"

namespace prescript {
namespace {

using testing::HasSubstr;
using testing::Not;

class AuthoringDeskTest : public testing::Test {
 protected:
  AuthoringDeskTest() {
    create_authoring_store(
        directory_ / "s",
        directory_.write("e.jsonl",
                         "{\"question\":\"Open <b>question</b>?\"}\n"
                         "{\"question\":\"Which?\",\"options\":{\"A\":\"x\",\"B\":\"y\"}}\n"
                         "{\"question\":\"Free?\",\"answer\":\"Yes.\",\"rationale\":\"Kept.\"}\n"));
    store_.emplace(directory_ / "s");
    desk_.emplace(*store_);
  }

  std::string page(const std::string& rater, std::vector<std::string> path) {
    const HttpResponse response = desk_->respond(rater, path, "GET", {});
    EXPECT_EQ(response.status, 200u);
    return response.body;
  }
  unsigned post(const std::string& rater, int number, std::map<std::string, std::string> form) {
    return desk_->respond(rater, std::vector{std::to_string(number)}, "POST", form).status;
  }
  unsigned write(const std::string& rater,
                 int number,
                 const std::string& version,
                 const std::string& answer) {
    return post(rater, number, {{"action", "write"}, {"version", version}, {"answer", answer}});
  }
  unsigned review(const std::string& rater,
                  int number,
                  const std::string& version,
                  const std::string& decision,
                  const std::string& reason = "") {
    return post(
        rater,
        number,
        {{"action", "review"}, {"version", version}, {"decision", decision}, {"reason", reason}});
  }

  TemporaryDirectory directory_;
  std::optional<AuthoringStore> store_;
  std::optional<AuthoringDesk> desk_;
};

TEST_F(AuthoringDeskTest, LeadsFromWritingToAccepting) {
  EXPECT_THAT(page("A1", {}), HasSubstr("To be written (2)"));
  EXPECT_THAT(page("A1", {"1"}), HasSubstr("Open &lt;b&gt;question&lt;/b&gt;?"));
  EXPECT_EQ(write("A1", 1, "0", "Line one.\r\nLine two."), 303u);
  EXPECT_EQ(store_->exemplar(1)->versions[0].answer, "Line one.\nLine two.");
  EXPECT_THAT(page("A1", {}), HasSubstr("Written by you, waiting for a review (1)"));
  EXPECT_THAT(page("A1", {"1"}), Not(HasSubstr("Would you sign")));
  EXPECT_THAT(page("B2", {}), HasSubstr("To be reviewed by you (2)"));
  EXPECT_THAT(page("B2", {"1"}), HasSubstr("Would you sign"));
  EXPECT_EQ(review("B2", 1, "1", "reject", "Too <short>."), 303u);
  EXPECT_THAT(page("A1", {}), HasSubstr("Rejected, to be revised (1)"));
  EXPECT_THAT(page("A1", {"1"}), HasSubstr("Too &lt;short&gt;."));
  EXPECT_EQ(write("A1", 1, "1", "Longer."), 303u);
  EXPECT_EQ(review("B2", 1, "2", "accept"), 303u);
  EXPECT_THAT(page("A1", {}), HasSubstr("1 of 3 accepted"));
}

TEST_F(AuthoringDeskTest, OptionsAreAnsweredByLetter) {
  EXPECT_THAT(page("A1", {"2"}), HasSubstr("name=\"answer\" value=\"B\""));
  EXPECT_EQ(write("A1", 2, "0", "C"), 422u);
  EXPECT_EQ(write("A1", 2, "0", "AB"), 422u);
  EXPECT_EQ(
      post(
          "A1", 2, {{"action", "write"}, {"version", "0"}, {"answer", "B"}, {"rationale", "Why."}}),
      303u);
  EXPECT_EQ(store_->exemplar(2)->versions[0].rationale, "Why.");
}

TEST_F(AuthoringDeskTest, ARationaleWithoutAFieldStays) {
  EXPECT_EQ(write("A1", 3, "1", "No."), 303u);
  EXPECT_EQ(store_->exemplar(3)->versions.back().rationale, "Kept.");
}

TEST_F(AuthoringDeskTest, OtherFormsAreRefusedAndNothingIsKept) {
  EXPECT_EQ(write("A1", 1, "0", " \n"), 422u);
  EXPECT_EQ(write("A1", 1, "3", "Text."), 409u);
  EXPECT_EQ(write("A1", 1, "x", "Text."), 409u);
  EXPECT_EQ(write("A1", 9, "0", "Text."), 404u);
  EXPECT_EQ(post("A1", 1, {}), 422u);
  EXPECT_EQ(post("A1", 1, {{"action", "drop"}}), 422u);
  EXPECT_EQ(review("B2", 1, "0", "accept"), 409u);
  EXPECT_EQ(review("B2", 3, "1", "perhaps"), 422u);
  EXPECT_EQ(review("B2", 3, "1", "reject", " "), 422u);
  EXPECT_TRUE(store_->exemplar(1)->versions.empty());
  EXPECT_EQ(store_->exemplar(3)->status(), AuthoringStatus::kWritten);
  EXPECT_EQ(desk_->respond("A1", std::vector<std::string>{"1", "2"}, "GET", {}).status, 404u);
}

}  // namespace
}  // namespace prescript
