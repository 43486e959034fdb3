#pragma once
// The vote of several samples of an answer (self-consistency: Wang et al. 2023).

#include <cstddef>
#include <optional>
#include <span>

namespace prescript {

struct Vote {
  /// The option with the most votes; among equal ones that whose first vote came first, so that
  /// no letter is favoured. Nothing when nobody voted.
  std::optional<size_t> winner;
  size_t votes;  // for the winner
  bool tied;     // another option has as many
  /// votes / samples. Samples without a vote count: they are no agreement.
  double share;
};

/// One entry for each sample: the option that it chose, or nothing (an answer that could not be
/// parsed). Throws ContractError without samples.
Vote plurality_vote(std::span<const std::optional<size_t>> samples);

}  // namespace prescript
