#include "exemplars/checked_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "support/temporary_directory.h"

namespace prescript {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

class CheckedFileTest : public testing::Test {
 protected:
  CheckedFile check(const std::string& bytes, const ExemplarLimits& limits = {}) const {
    return check_exemplar_file(directory_.write("a.jsonl", bytes), limits);
  }

  TemporaryDirectory directory_;
};

TEST_F(CheckedFileTest, TellsEveryDefectOfEveryLine) {
  const CheckedFile file =
      check(R"({"id": "x", "question": "", "context": 1, "options": {"a": "b"}, "answer": "A"})"
            "\n"
            R"({"id": "y", "question": "Q?", "answer": "Yes."})"
            "\n{\n"
            R"({"id": "y", "answer": " "})"
            "\n[]\n"
            R"({"question": "Q?", "options": {"A": "a", "B": "b"}, "answer": "C", "rationale": ""})"
            "\n"
            R"({"messages": [{"role": "assistant", "content": "Hi"}], "answer": "x"})");
  const std::string path = directory_ / "a.jsonl";
  EXPECT_THAT(file.defects,
              ElementsAre(HasSubstr(path + ":1: question: empty"),
                          HasSubstr(path + ":1: context: expected a string"),
                          HasSubstr(path + ":1: options: the name of an option"),
                          HasSubstr(path + ":3:1: "),
                          HasSubstr(path + ":4: id: \"y\" is the id of " + path + ":2"),
                          HasSubstr(path + ":4: question: missing"),
                          HasSubstr(path + ":4: answer: empty"),
                          HasSubstr(path + ":5: expected an object"),
                          HasSubstr(path + ":6: rationale: empty"),
                          HasSubstr(path + ":6: answer: not the letter of an option"),
                          HasSubstr(path + ":7: answer: stands beside messages"),
                          HasSubstr(path + ":7: messages")));
  ASSERT_EQ(file.exemplars.size(), 1u);
  EXPECT_EQ(file.exemplars[0].exemplar.id, "y");
}

TEST_F(CheckedFileTest, HoldsWhatIsCountedOfEachExemplar) {
  const CheckedFile file =
      check(R"({"question": "Q?", "source": "ward", "topic": "skin",)"
            R"( "review": {"status": "accepted", "reviewer": "r7", "date": "2024-02-29"}})");
  ASSERT_THAT(file.defects, IsEmpty());
  const CheckedExemplar& one = file.exemplars.at(0);
  EXPECT_EQ(one.source, "ward");
  EXPECT_EQ(one.topic, "skin");
  EXPECT_EQ(one.reviewer, "r7");
  EXPECT_EQ(one.review_status, "accepted");
  EXPECT_THAT(one.identifiers, IsEmpty());  // the date of a review is no patient's
}

TEST_F(CheckedFileTest, IdentifiersAreSoughtInEveryField) {
  const CheckedFile file = check(
      R"({"id": "2024-02-29", "question": "Mr Lee, born 3 April 1961?", "answer": "2024-02-29.",)"
      R"( "note": {"who": ["MRN 4471299"]}, "source": "https://x.example by Dr Lee"})"
      "\n"
      R"({"messages": [{"role": "user", "content": "a@b.example, c@d.example"}]})");
  ASSERT_THAT(file.defects, IsEmpty());
  const auto& first = file.exemplars.at(0).identifiers;
  ASSERT_EQ(first.size(), 4u);
  EXPECT_EQ(first[0].field, "answer");
  EXPECT_THAT(first[0].kinds, ElementsAre(Pair(IdentifierKind::kDate, 1)));
  EXPECT_EQ(first[1].field, "note.who[0]");
  EXPECT_THAT(first[1].kinds, ElementsAre(Pair(IdentifierKind::kRecordNumber, 1)));
  EXPECT_EQ(first[2].field, "question");
  EXPECT_THAT(
      first[2].kinds,
      ElementsAre(Pair(IdentifierKind::kDateOfBirth, 1), Pair(IdentifierKind::kNameWithTitle, 1)));
  EXPECT_EQ(first[3].field, "source");
  EXPECT_THAT(first[3].kinds, ElementsAre(Pair(IdentifierKind::kNameWithTitle, 1)));
  const auto& second = file.exemplars.at(1).identifiers;
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].field, "messages[0].content");
  EXPECT_THAT(second[0].kinds, ElementsAre(Pair(IdentifierKind::kEmailAddress, 2)));
}

TEST_F(CheckedFileTest, AFileOfNothingAnOverlongLineAndUtf16AreDefects) {
  EXPECT_THAT(check("\n \n").defects, ElementsAre(HasSubstr("no exemplars")));
  EXPECT_THAT(
      check("{\"question\": \"a long one?\"}\n{\"question\": \"?\"}", {.max_line_bytes = 20})
          .defects,
      ElementsAre(HasSubstr(":1: a line of 27 bytes")));
  EXPECT_THAT(check(std::string("\xff\xfe{", 3)).defects, ElementsAre(HasSubstr("UTF-16")));
  EXPECT_THROW(check_exemplar_file(directory_ / "none.jsonl"), InputError);
}

}  // namespace
}  // namespace prescript
