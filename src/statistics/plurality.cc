#include "statistics/plurality.h"

#include <algorithm>

#include "base/error.h"

namespace prescript {

Vote plurality_vote(std::span<const std::optional<size_t>> samples) {
  PRESCRIPT_CHECK(!samples.empty(), "a vote of no samples");
  Vote vote{.winner = std::nullopt, .votes = 0, .tied = false, .share = 0};
  for (const std::optional<size_t>& option : samples) {
    if (!option || option == vote.winner) continue;
    const auto votes = static_cast<size_t>(std::count(samples.begin(), samples.end(), option));
    if (votes > vote.votes) {
      vote.winner = option;
      vote.votes = votes;
      vote.tied = false;
    } else if (votes == vote.votes) {
      vote.tied = true;
    }
  }
  vote.share = static_cast<double>(vote.votes) / static_cast<double>(samples.size());
  return vote;
}

}  // namespace prescript
