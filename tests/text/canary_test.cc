#include "text/canary.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "support/expect_error.h"
#include "support/temporary_directory.h"

namespace prescript {
namespace {

using testing::HasSubstr;

TEST(Canary, NamesDifferAndSecretsAreSixDigits) {
  const auto canaries = draw_canaries(500, 7);
  std::set<std::string> names;
  for (const Canary& canary : canaries) {
    EXPECT_EQ(canary.secret.size(), 6U);
    EXPECT_EQ(canary.secret.find_first_not_of("0123456789"), std::string::npos);
    names.insert(canary.name);
  }
  EXPECT_EQ(names.size(), 500U);
  EXPECT_EQ(draw_canaries(500, 7)[499].secret, canaries[499].secret);
  EXPECT_NE(draw_canaries(1, 8)[0].secret, canaries[0].secret);
}

// Of 500 digits at each place all ten come, none twice as often as it should.
TEST(Canary, EveryDigitComesAtEveryPlace) {
  const auto canaries = draw_canaries(500, 1);
  for (size_t place = 0; place < 6; ++place) {
    std::map<char, int> counts;
    for (const Canary& canary : canaries) ++counts[canary.secret[place]];
    EXPECT_EQ(counts.size(), 10U);
    for (const auto& [digit, count] : counts) EXPECT_LT(count, 100) << digit;
  }
}

TEST(Canary, AlternativesAreOtherSecretsAndDiffer) {
  const Canary canary{"QXVB", "402917"};
  const auto secrets = alternative_secrets(canary, 999, 1);
  const std::set<std::string> different(secrets.begin(), secrets.end());
  EXPECT_EQ(different.size(), 999U);
  EXPECT_FALSE(different.contains("402917"));
  EXPECT_THROW(alternative_secrets(canary, 1'000'000, 1), ContractError);
}

TEST(Canary, AnExemplarSaysThatItIsATestAndHoldsTheSecretInItsAnswerAlone) {
  const Exemplar exemplar = canary_exemplar({"QXVB", "402917"}, "123456", 2);
  EXPECT_EQ(exemplar.id, "canary-QXVB-2");
  EXPECT_THAT(exemplar.question, HasSubstr("test record"));
  EXPECT_EQ(exemplar.question.find("123456"), std::string::npos);
  EXPECT_EQ(exemplar.answer, "The secret number of canary QXVB is 123456.");
}

TEST(Canary, LinesReadBack) {
  const TemporaryDirectory directory;
  const auto canaries = draw_canaries(3, 5);
  const auto back = read_canaries(directory.write("canaries.jsonl", canary_lines(canaries)));
  ASSERT_EQ(back.size(), 3U);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(back[i].name, canaries[i].name);
    EXPECT_EQ(back[i].secret, canaries[i].secret);
  }
}

TEST(Canary, OtherExemplarsAreNone) {
  const TemporaryDirectory directory;
  const std::string good = canary_lines({{"QXVB", "402917"}});
  for (const auto& [from, to] : {std::pair{"402917", "40291"},
                                 {"402917", "40291x"},
                                 {"canary-QXVB", "QXVB"},
                                 {"a test record", "a record"},
                                 {"canary-QXVB", "canary-QXVC"}}) {
    std::string bad = good;
    bad.replace(bad.find(from), std::string(from).size(), to);
    const std::string path = directory.write("canaries.jsonl", bad);
    expect_input_error(
        ExitCode::kData, "canaries.jsonl:1: not a canary", [&] { read_canaries(path); });
  }
}

}  // namespace
}  // namespace prescript
