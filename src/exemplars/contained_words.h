#pragma once
// Texts whose words stand in a row in another text.

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "exemplars/words.h"

namespace prescript {

/// Shorter texts ("What is cholera?") say too little to be looked for. The n-grams by which PaLM's
/// training data was searched for its tests are as long (Chowdhery et al. 2022, section 8).
inline constexpr size_t kFewestContainedWords = 8;

/// Calls `found(needle, haystack)` where all words of needles[needle], at least eight, stand in a
/// row in one of the texts of haystacks[haystack]. Of needles with the same words only the first is
/// named. The cost is that of the haystacks' words times the lengths of needles that begin alike.
void for_each_contained(std::span<const Words> needles,
                        std::span<const std::vector<Words>> haystacks,
                        const std::function<void(size_t, size_t)>& found);

}  // namespace prescript
