#include "evaluate/answer_parser.h"

#include <gtest/gtest.h>

namespace prescript {
namespace {

const std::vector<AnswerOption> kDrugs = {
    {"A", "Gentamicin"}, {"B", "Ciprofloxacin"}, {"C", "Ceftriaxone"}, {"D", "Vitamin D"}};
const std::vector<AnswerOption> kGerms = {{"A", "Hepatitis B"},
                                          {"B", "difficile"},
                                          {"C", "Streptococcus"},
                                          {"D", "Yes"},
                                          {"E", "Listeria"}};
const std::vector<AnswerOption> kJudgements = {{"A", "yes"}, {"B", "no"}, {"C", "maybe"}};
const std::vector<AnswerOption> kRows = {{"A", "A"}, {"B", "B and C"}, {"C", "None of the above."}};

struct Case {
  const char* text;
  const char* letter;  // "" where nothing is stated
};

void expect_all(const std::vector<AnswerOption>& options, const std::vector<Case>& cases) {
  for (const Case& one : cases) {
    EXPECT_EQ(parse_answer(one.text, options).value_or(""), one.letter) << one.text;
  }
}

TEST(ParseAnswer, TheLastStatedAnswerCounts) {
  expect_all(kDrugs,
             {{"Answer: (C)", "C"},
              {"answer:(c)", "C"},
              {"ANSWER: (C).", "C"},
              {"**Answer:** (C)", "C"},
              {"Answer: **(C)**", "C"},
              {"The answer is (B).", "B"},
              {"The answer is: (B)", "B"},
              {"The correct answer is (B), not (A).", "B"},
              {"(A) is wrong.\nAnswer: (B)\nNote that (D) is a vitamin.", "B"},
              {"Answer: (A)\nOn reflection it is resistant.\nAnswer: (C)", "C"},
              {"Answer: (A)\n\nQuestion: next one\nAnswer: (Z)", "A"},
              {"Explanation: it blocks the wall. Answer: (C) Ceftriaxone", "C"},
              {"Answer: (A) because (B) is contraindicated", "A"},
              {"Answer:\t(D)", "D"},
              {"Answer: Ceftriaxone", "C"},
              {"Answer: ceftriaxone.", "C"},
              {"Answer: Ceftriaxone, given once", "C"},
              {"Answer: vitamin D", "D"}});
}

TEST(ParseAnswer, TwoAnswersInOneStateNothing) {
  expect_all(kDrugs,
             {{"Answer: (A) or (B)", ""},
              {"Answer: (A) and (B)", ""},
              {"Answer: (A), (B)", ""},
              {"Answer: (A)/(B)", ""},
              {"Answer: (A)(B)", ""},
              {"Answer: (A), and (B)", ""},
              {"Answer: (A)\n(B) is too toxic", "A"},
              {"Answer: (A) or (A)", "A"}});
}

TEST(ParseAnswer, WithoutAStatementTheLastBracketsCount) {
  expect_all(kDrugs,
             {{"(C)", "C"},
              {"(C) Ceftriaxone", "C"},
              {"I would exclude (A) and give (B).", "B"},
              {"The answer depends. (A)", "A"},
              {"My answers: (A)", "A"},  // "answers" is another word; brackets count all the same
              {"(c)", ""},               // an enumeration
              {"(E)", ""},
              {"(AB)", ""},
              {"( A )", ""}});
}

TEST(ParseAnswer, WhatIsDeniedOrJoinedIsNotStated) {
  expect_all(kDrugs,
             {{"The answer is not (C).", ""},
              {"The answer isn't (C).", ""},
              {"The answer is not (C) but (B).", "B"},
              {"Options (B) and (C) are wrong", ""},
              {"(A) it is; (B) and (C) are wrong", "A"},
              {"(B), (C) and (D) are wrong", ""},
              {"It is knot (C)", "C"}});
}

TEST(ParseAnswer, BehindAnAnswerThatCannotBeReadNothingBeforeItCounts) {
  expect_all(kDrugs,
             {{"It is (B). Answer: none of the above", ""},
              {"(B)\nAnswer: I do not know", ""},
              {"Answer: (B)\nAnswer: unclear", ""},
              {"Answer: the right option is (B)", "B"},
              {"The answer is clear: (B)", "B"},
              {"Answer: (B)\nAnswer:", "B"},
              {"Answer: (B)\nAnswer: \n", "B"}});
}

TEST(ParseAnswer, WhatAModelAsksItselfIsNotRead) {
  expect_all(kDrugs,
             {{"(C)\n\nQuestion: Which is cheap?\n(A) One\n(B) Two\n(D) Four", "C"},
              {"It blocks the wall.\nAnswer: (C)\n\nquestion: Next?\nAnswer: (D)", "C"},
              {"It blocks the wall.\n Question: Next?\nAnswer: (D)", ""},
              {"\nQuestion: Which one?\nAnswer: (B)", "B"},
              {"This raises the Question: which?\nAnswer: (B)", "B"}});
}

TEST(ParseAnswer, AListOfOptionsStatesNothing) {
  expect_all(kDrugs,
             {{"The options are\n(A) Gentamicin\n(B) Ciprofloxacin\n(D) Vitamin D", ""},
              {"(A) Gentamicin\n\n  (B) Ciprofloxacin", ""},
              {"I would give (C), of these:\n(A) Gentamicin\n(B) Ciprofloxacin", "C"},
              {"(A) Gentamicin\n(B) Ciprofloxacin\nAnswer: (B)", "B"},
              {"(A) Gentamicin\n(B) Ciprofloxacin\nI choose (A).", "A"},
              {"(B) Ciprofloxacin\n\nIt is cheap.", "B"},
              {"(B)\n(B)", "B"}});
}

TEST(ParseAnswer, ABareLetterCountsAloneOnly) {
  expect_all(kDrugs,
             {{"B", "B"},
              {"  B. ", "B"},
              {"B)", "B"},
              {"Answer: B", "B"},
              {"Answer: B.", "B"},
              {"Answer: B)\nbecause it is cheap", "B"},
              {"Answer: B. Ciprofloxacin", "B"},
              {"Answer: B) ciprofloxacin, twice a day", "B"},
              {"Answer: B Ciprofloxacin", "B"},
              {"Answer: b", ""},
              {"B is the one", ""},
              {"Answer: B is the one", ""},
              {"Answer: A man of 40 would get none", ""},
              {"Answer: A", "A"},
              {"Answer: D-dimer", ""},
              {"Answer: C. difficile", ""},
              {"Answer: B. Ceftriaxone", ""},  // the letter and the text disagree
              {"Take vitamin D", ""},
              {"This is grade A evidence", ""},
              {"Vaccinate against hepatitis B", ""},
              {"Hepatitis B", ""},
              {"option B", ""},
              {"B) Ciprofloxacin", "B"},
              {"B. ciprofloxacin.", "B"},
              {"A) Gentamicin\nB) Ciprofloxacin", ""},
              {"B) Ceftriaxone", ""},
              {"A B", ""}});
  expect_all(kGerms, {{"Answer: E. coli", ""}, {"Answer: Hepatitis B", "A"}});
}

TEST(ParseAnswer, AnOptionsTextCountsWhereNothingElseStands) {
  expect_all(kDrugs,
             {{"Ceftriaxone", "C"},
              {" ceftriaxone.\n", "C"},
              {"Vitamin D", "D"},
              {"Ceftriaxone is best", ""},
              {"Give ceftriaxone", ""},
              {"Ceftriaxon", ""}});
  expect_all(kRows,
             {{"None of the above.", "C"},
              {"none of the above", ""},
              {"Answer: B and C", "B"},
              {"B and C", "B"},
              {"A", "A"}});
  expect_all(kGerms, {{"Hepatitis B", "A"}, {"Yes, surely", ""}, {"Yes", "D"}});
}

TEST(ParseAnswer, JudgementsAreWordsAndTheirLettersAreNotAskedFor) {
  expect_all(kJudgements,
             {{"Answer: (A)", "A"},
              {"(C)", "C"},
              {"Answer: yes", "A"},
              {"Answer: No.", "B"},
              {"Answer: maybe, the trial was small", "C"},
              {"Yes", "A"},
              {"yes.", "A"},
              {"No, it does not.", "B"},
              {"Maybe: it depends.", "C"},
              {"No evidence was found", ""},
              {"Answer: no difference was seen", ""},
              {"Answer: not known", ""},
              {"Nobody knows", ""},
              {"yesterday", ""},
              {"The answer is yes.", "A"},
              {"The answer is no longer known", ""},
              {"B", ""},
              {"Answer: B", ""},
              {"It may be so. yes", ""}});
}

TEST(ParseAnswer, AnythingElseIsNoAnswer) {
  expect_all(kDrugs,
             {{"", ""},
              {" \n", ""},
              {"Answer:", ""},
              {"Answer: ", ""},
              {"Answer", ""},
              {"answer is", ""},
              {"(", ""},
              {"I do not know.", ""},
              {"\xc3\x84nswer: (A", ""},
              {"reanswer: B", ""}});
}

}  // namespace
}  // namespace prescript
