#pragma once
// Canaries: artificial exemplars that hold a random secret, to measure what a training keeps of
// one.

#include <cstdint>
#include <string>
#include <vector>

#include "text/exemplar.h"

namespace prescript {

/// A canary and its secret: six decimal digits, of which there are 10^6.
struct Canary {
  std::string name;    // four letters, which its question asks for
  std::string secret;  // "402917"
};

/// `count` canaries with names of their own, from `seed`.
std::vector<Canary> draw_canaries(int64_t count, uint64_t seed);

/// Other secrets that `canary` could have had: `count` different ones, from `seed`. Throws
/// ContractError when there are not so many.
std::vector<std::string> alternative_secrets(const Canary& canary, int64_t count, uint64_t seed);

/// The canary as exemplar number `repetition` (from 1), with `secret` in its answer. It says in so
/// many words that it is artificial.
Exemplar canary_exemplar(const Canary& canary, const std::string& secret, int64_t repetition = 1);

/// Each canary once, as a line of exemplars; and back. Throws InputError(kData) for a line that is
/// no canary.
std::string canary_lines(const std::vector<Canary>& canaries);
std::vector<Canary> read_canaries(const std::string& path);

}  // namespace prescript
