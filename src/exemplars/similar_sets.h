#pragma once
// Sets that have much in common, found without comparing every set with every other.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "exemplars/groups.h"

namespace prescript {

/// When two sets are similar: |a ∩ b| / |a ∪ b| (Jaccard) and |a ∩ b| are at least these.
struct SetSimilarity {
  double jaccard = 0.0;  // in (0, 1]
  size_t shared = 1;
};

/// Sets, of which some can be looked for. Exact, by the filters of PPJoin (Xiao et al. 2008,
/// "Efficient similarity joins for near duplicate detection"): similar sets share one of the
/// elements that are rarest in each, and enough of them soon enough. Groups of similar sets count
/// as one, so that thousands of nearly equal sets cost no more than others.
class SimilarSets {
 public:
  /// The elements of a set are distinct. `groups` are of the sets' indices and must outlive it.
  SimilarSets(std::span<const std::vector<uint64_t>> sets,
              const SetSimilarity& similar,
              Groups& groups);

  /// From now on `set` can be found.
  void add(size_t set);

  /// Joins `set` with each group that holds a similar set among those added, and calls
  /// `found(other, jaccard)` for one such set of each.
  void join(size_t set, const std::function<void(size_t, double)>& found);

 private:
  using Rank = uint32_t;  // of an element in the order of frequency, the rarest first

  /// An element among the rarest of a set.
  struct Posting {
    uint32_t set;
    uint32_t position;
  };
  /// Postings of sets that are in one group.
  using Family = std::vector<Posting>;

  void rank(std::span<const std::vector<uint64_t>> sets);
  size_t num_rarest(size_t set) const;
  size_t num_needed(size_t a, size_t b) const;
  double similarity(size_t a, size_t b) const;
  void merge_families(std::vector<Family>& families);
  void count(const Posting& posting, size_t set, size_t position);

  SetSimilarity similar_;
  Groups& groups_;
  std::vector<std::vector<Rank>> sets_;        // ascending; empty for sets too small to be similar
  Rank first_shared_ = 0;                      // elements of lower rank are in one set alone
  std::vector<std::vector<Family>> families_;  // by rank, from first_shared_
  std::vector<size_t> family_of_group_;
  std::vector<int32_t> num_shared_;  // with the set that is being joined, as far as is known
  std::vector<uint32_t> counted_;    // sets that have one
};

}  // namespace prescript
