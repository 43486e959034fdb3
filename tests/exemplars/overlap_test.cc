#include "exemplars/overlap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace prescript {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Exemplar asking(const std::string& question) {
  Exemplar exemplar;
  exemplar.question = question;
  return exemplar;
}

Exemplar choice(const std::string& question, const std::vector<std::string>& options) {
  Exemplar exemplar = asking(question);
  for (const std::string& text : options) {
    exemplar.options.push_back(
        {std::string(1, static_cast<char>('A' + exemplar.options.size())), text});
  }
  return exemplar;
}

Exemplar answered(const std::string& question, const std::string& answer) {
  Exemplar exemplar = asking(question);
  exemplar.answer = answer;
  return exemplar;
}

const char* const kFever =
    "My two-year-old has had a fever of 39 degrees since last night. When should I see a doctor?";

TEST(Overlap, TheSameWordsAreTheSameQuestion) {
  EXPECT_THAT(find_overlap(std::vector{asking("What is cholera?"), asking("What is typhus?")},
                           std::vector{asking("Is it catching?"), asking("what is CHOLERA")}),
              ElementsAre(LikePair{0, 1, Likeness::kSame, 1}));
}

TEST(Overlap, TheOrderOfOptionsIsNothingAndTheirTextsAreMuch) {
  const auto exemplars = std::vector{choice("Which?", {"Rest", "Ice", "Heat"})};
  EXPECT_THAT(find_overlap(std::vector{choice("Which?", {"heat", "rest", "ice"}),
                                       choice("Which?", {"Rest", "Ice", "Surgery"}),
                                       asking("Which?")},
                           exemplars),
              ElementsAre(LikePair{0, 0, Likeness::kSame, 1}));
}

TEST(Overlap, ALongQuestionWithOtherOptionsOrInAContextIsContained) {
  const std::string stem = "Which of these drugs is safe with an ACE inhibitor?";
  Exemplar in_context = asking("What would you answer?");
  in_context.context = "A patient writes: " + stem + " Thank you.";
  EXPECT_THAT(find_overlap(std::vector{choice(stem, {"Gold", "Iron"}), in_context},
                           std::vector{choice(stem, {"Salt", "Lead"})}),
              ElementsAre(LikePair{0, 0, Likeness::kContained, 1},
                          LikePair{1, 0, Likeness::kContained, 1}));
  // The other way round, and all of the questions that have these words.
  EXPECT_THAT(find_overlap(std::vector{choice(stem, {"Gold", "Iron"}), asking(stem)},
                           std::vector{in_context}),
              ElementsAre(LikePair{0, 0, Likeness::kContained, 1},
                          LikePair{1, 0, Likeness::kContained, 1}));
}

TEST(Overlap, AQuestionWithAWordChangedIsSimilar) {
  std::string reworded = kFever;
  reworded.replace(reworded.find("last night"), 10, "yesterday");
  // 20 words make 16 runs of five, 19 make 15. The first 12 words are the same, which makes 8
  // runs, and the last 6, which make 2.
  const auto found = find_overlap(std::vector{asking(reworded)}, std::vector{asking(kFever)});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].likeness, Likeness::kSimilar);
  EXPECT_NEAR(found[0].similarity, 10.0 / (16 + 15 - 10), 1e-12);
}

TEST(Overlap, QuestionsFromOneTemplateAreNotAlike) {
  EXPECT_THAT(find_overlap(std::vector{asking("What are the genetic changes related to Gout?"),
                                       asking("When should I see a doctor?")},
                           std::vector{asking("What are the genetic changes related to rickets?"),
                                       asking(kFever)}),
              IsEmpty());
}

TEST(Overlap, TheStrongestLikenessIsNamed) {
  std::string reworded = kFever;
  reworded.replace(reworded.find("39"), 2, "40");
  EXPECT_THAT(find_overlap(std::vector{asking(kFever)},
                           std::vector{asking(reworded),
                                       asking(std::string("Hello. ") + kFever),
                                       asking(kFever),
                                       asking(kFever)}),
              ElementsAre(LikePair{0, 2, Likeness::kSame, 1}));
}

TEST(Overlap, TurnsOfAConversationAreAskedToo) {
  Exemplar first = asking("It hurts.");
  first.between = {{"assistant", "Where?"}, {"user", "In the knee."}};
  Exemplar second = asking("It hurts.");
  second.between = {{"assistant", "Where?"}, {"user", "In the hip."}};
  EXPECT_THAT(find_overlap(std::vector{first}, std::vector{asking("It hurts."), second}),
              IsEmpty());
  EXPECT_THAT(find_overlap(std::vector{first}, std::vector{second, first}),
              ElementsAre(LikePair{0, 1, Likeness::kSame, 1}));
}

TEST(Overlap, NothingOverlapsWithNothing) {
  EXPECT_THAT(find_overlap({}, std::vector{asking("A?")}), IsEmpty());
  EXPECT_THAT(find_overlap(std::vector{asking("A?")}, {}), IsEmpty());
}

TEST(Repeats, ConnectAGroupWithOnePairForEachMemberButOne) {
  std::string reworded = kFever;
  reworded.replace(reworded.find("39"), 2, "40");
  const auto pairs = find_repeats(std::vector{asking(reworded),
                                              asking("What is cholera?"),
                                              asking(kFever),
                                              asking("WHAT IS CHOLERA"),
                                              asking(kFever)});
  ASSERT_EQ(pairs.size(), 3u);
  EXPECT_EQ(std::pair(pairs[0].item, pairs[0].other), std::pair(size_t{2}, size_t{0}));
  EXPECT_EQ(pairs[0].likeness, Likeness::kSimilar);
  EXPECT_EQ(pairs[1], (LikePair{3, 1, Likeness::kSame, 1}));
  EXPECT_EQ(pairs[2], (LikePair{4, 2, Likeness::kSame, 1}));
}

TEST(Repeats, OfAnswersAreThoseOfFreeTextOfEightWords) {
  const std::string answer = "Rest, drink enough, and see a doctor tomorrow.";
  Exemplar letter = choice("Which?", {"Rest", "Ice"});
  letter.answer = "A";
  EXPECT_THAT(find_repeated_answers(std::vector{answered("Fever?", answer),
                                                answered("Cough?", "Yes."),
                                                answered("Cold?", answer + "\n"),
                                                answered("Rash?", "Yes."),
                                                letter,
                                                letter,
                                                asking("Nothing?"),
                                                asking("Nothing?")}),
              ElementsAre(LikePair{2, 0, Likeness::kSame, 1}));
}

}  // namespace
}  // namespace prescript
