#include "statistics/plurality.h"

#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"

namespace prescript {
namespace {

using Samples = std::vector<std::optional<size_t>>;
constexpr std::nullopt_t kNone = std::nullopt;

void expect_vote(const Samples& samples, std::optional<size_t> winner, size_t votes, bool tied) {
  const Vote found = plurality_vote(samples);
  EXPECT_EQ(found.winner, winner);
  EXPECT_EQ(found.votes, votes);
  EXPECT_EQ(found.tied, tied);
  EXPECT_DOUBLE_EQ(found.share, static_cast<double>(votes) / static_cast<double>(samples.size()));
}

TEST(PluralityVote, IsWonByTheMostVotes) {
  expect_vote({2}, 2, 1, false);
  expect_vote({0, 1, 1}, 1, 2, false);
  expect_vote({3, 1, 3, 0, 3, 1}, 3, 3, false);
  expect_vote({0, 2, 1, 1, 0, 1}, 1, 3, false);
}

TEST(PluralityVote, OfATieGoesToTheOptionNamedFirst) {
  expect_vote({2, 1, 1, 2}, 2, 2, true);
  expect_vote({1, 2, 2, 1}, 1, 2, true);
  expect_vote({3, 0}, 3, 1, true);
  expect_vote({0, 3, 2, 1}, 0, 1, true);
  expect_vote({3, 1, 1, 2, 2}, 1, 2, true);
}

TEST(PluralityVote, EndsATieOfTheLosers) {
  expect_vote({3, 2, 1, 1}, 1, 2, false);
  expect_vote({3, 2, 1, 1, 3, 1}, 1, 3, false);
}

TEST(PluralityVote, CountsSamplesWithoutAVoteInTheShare) {
  expect_vote({kNone, 1, kNone, kNone}, 1, 1, false);
  expect_vote({kNone}, kNone, 0, false);
  expect_vote({kNone, kNone}, kNone, 0, false);
}

TEST(PluralityVote, RefusesNoSamples) {
  EXPECT_THROW(plurality_vote({}), ContractError);
}

}  // namespace
}  // namespace prescript
