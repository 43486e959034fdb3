#pragma once
// Which exemplars are the same or nearly so: in one set, and in a set against another.
//
// Compared are words (exemplars/words.h). What is asked is the question, the turns up to the
// answer, the context and the options; the order of options and their letters are nothing. Two
// exemplars are
//   same        all that is asked has the same words;
//   contained   the question of one, if it has at least 8 words, stands word for word in a row in
//               what is asked by the other: with other options, in a context, in a longer question;
//   similar     of the runs of 5 words in what is asked (each text of fewer words is one run) they
//               share at least 8, and at least 0.4 of those that either has (Jaccard).
// On the public sets of docs/EXEMPLARS.md pairs of the same item reach 0.43 and more, all others
// 0.14 and less. A question told in other words is none of the three, and no rule of words finds
// it.

#include <cstddef>
#include <span>
#include <vector>

#include "text/exemplar.h"

namespace prescript {

enum class Likeness { kSame, kContained, kSimilar };

/// "same", "contained" or "similar".
const char* name_of(Likeness likeness);

/// An exemplar that is like another. Both are indices.
struct LikePair {
  size_t item;
  size_t other;
  Likeness likeness;
  double similarity;  // Jaccard of similar ones, else 1

  bool operator==(const LikePair&) const = default;
};

/// Which of `questions` also occur among `exemplars`: for each that does, in their order, the
/// strongest likeness (same, then contained, then similar) and an exemplar that has it. `item` is
/// the question. Exact but for collisions of 64-bit hashes.
std::vector<LikePair> find_overlap(std::span<const Exemplar> questions,
                                   std::span<const Exemplar> exemplars);

/// Questions that repeat an earlier one of the set: `other` < `item`, by item. Exemplars that are
/// alike, if only through others, make a group; a group of n has n - 1 pairs, which connect it.
std::vector<LikePair> find_repeats(std::span<const Exemplar> exemplars);

/// The same of free-text answers of at least 8 words: same or similar, whatever was asked.
std::vector<LikePair> find_repeated_answers(std::span<const Exemplar> exemplars);

}  // namespace prescript
