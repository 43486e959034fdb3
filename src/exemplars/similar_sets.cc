#include "exemplars/similar_sets.h"

#include <cmath>
#include <limits>

#include "base/error.h"

namespace prescript {
namespace {

constexpr int32_t kRuledOut = -1;

/// Of a larger family one member is compared before the others are counted.
constexpr size_t kLargeFamily = 8;

/// The smallest whole number that is not below `value`, which rounding may have raised a little.
size_t at_least(double value) {
  return static_cast<size_t>(std::ceil(value - 1e-9));
}

}  // namespace

SimilarSets::SimilarSets(std::span<const std::vector<uint64_t>> sets,
                         const SetSimilarity& similar,
                         Groups& groups)
    : similar_(similar),
      groups_(groups),
      sets_(sets.size()),
      family_of_group_(sets.size(), 0),
      num_shared_(sets.size(), 0) {
  PRESCRIPT_CHECK(similar.jaccard > 0 && similar.jaccard <= 1, "jaccard outside of (0, 1]");
  rank(sets);
}

void SimilarSets::rank(std::span<const std::vector<uint64_t>> sets) {
  std::vector<uint64_t> elements;  // of all sets, then the distinct ones, ascending
  for (const auto& set : sets) elements.insert(elements.end(), set.begin(), set.end());
  PRESCRIPT_CHECK(elements.size() < std::numeric_limits<Rank>::max(), "too many elements");
  std::sort(elements.begin(), elements.end());
  std::vector<Rank> counts;
  for (size_t i = 0; i < elements.size(); ++i) {
    if (i > 0 && elements[i] == elements[counts.size() - 1]) {
      ++counts.back();
    } else {
      elements[counts.size()] = elements[i];
      counts.push_back(1);
    }
  }
  elements.resize(counts.size());
  std::vector<Rank> by_count(counts.size());
  std::iota(by_count.begin(), by_count.end(), Rank{0});
  std::stable_sort(
      by_count.begin(), by_count.end(), [&](Rank a, Rank b) { return counts[a] < counts[b]; });
  std::vector<Rank> rank_of(counts.size());
  for (Rank i = 0; i < by_count.size(); ++i) rank_of[by_count[i]] = i;
  first_shared_ = static_cast<Rank>(std::count(counts.begin(), counts.end(), Rank{1}));
  families_.resize(counts.size() - first_shared_);

  for (size_t i = 0; i < sets.size(); ++i) {
    if (sets[i].size() < similar_.shared) continue;
    for (const uint64_t element : sets[i]) {
      const auto place = std::lower_bound(elements.begin(), elements.end(), element);
      sets_[i].push_back(rank_of[static_cast<size_t>(place - elements.begin())]);
    }
    std::sort(sets_[i].begin(), sets_[i].end());
  }
}

/// Two similar sets share one of as many elements of each as these, its rarest.
size_t SimilarSets::num_rarest(size_t set) const {
  const size_t size = sets_[set].size();
  return size == 0 ? 0 : size - at_least(similar_.jaccard * static_cast<double>(size)) + 1;
}

/// How many elements two sets of these sizes must share.
size_t SimilarSets::num_needed(size_t a, size_t b) const {
  const double of_both = similar_.jaccard / (1 + similar_.jaccard);
  return std::max(similar_.shared, at_least(of_both * static_cast<double>(a + b)));
}

/// Jaccard of two sets, or 0 where they are not similar.
double SimilarSets::similarity(size_t a, size_t b) const {
  const std::vector<Rank>& as = sets_[a];
  const std::vector<Rank>& bs = sets_[b];
  size_t shared = 0;
  for (size_t i = 0, j = 0; i < as.size() && j < bs.size();) {
    const Rank of_a = as[i];
    const Rank of_b = bs[j];
    shared += of_a == of_b ? 1 : 0;
    i += of_a <= of_b ? 1 : 0;
    j += of_b <= of_a ? 1 : 0;
  }
  if (shared < num_needed(as.size(), bs.size())) return 0;
  return static_cast<double>(shared) / static_cast<double>(as.size() + bs.size() - shared);
}

/// Makes one of families whose groups have become one.
void SimilarSets::merge_families(std::vector<Family>& families) {
  size_t num_kept = 0;
  for (Family& family : families) {
    const size_t group = groups_.of(family.front().set);
    const size_t place = family_of_group_[group];
    if (place < num_kept && groups_.of(families[place].front().set) == group) {
      families[place].insert(families[place].end(), family.begin(), family.end());
      continue;
    }
    family_of_group_[group] = num_kept;
    if (&families[num_kept] != &family) families[num_kept] = std::move(family);
    ++num_kept;
  }
  families.resize(num_kept);
}

void SimilarSets::add(size_t set) {
  const size_t num_added = num_rarest(set);
  for (size_t i = 0; i < num_added; ++i) {
    if (sets_[set][i] < first_shared_) continue;
    std::vector<Family>& families = families_[sets_[set][i] - first_shared_];
    if (families.empty() || !groups_.are_one(families.back().front().set, set)) {
      families.emplace_back();
    }
    families.back().push_back({static_cast<uint32_t>(set), static_cast<uint32_t>(i)});
  }
}

/// Counts the element at `position` of `set`, unless what lies behind it cannot suffice.
void SimilarSets::count(const Posting& posting, size_t set, size_t position) {
  int32_t& shared = num_shared_[posting.set];
  if (shared == kRuledOut) return;
  if (shared == 0) counted_.push_back(posting.set);
  const size_t size = sets_[set].size();
  const size_t other_size = sets_[posting.set].size();
  const size_t most =
      static_cast<size_t>(shared) + std::min(size - position, other_size - posting.position);
  shared = most >= num_needed(size, other_size) ? shared + 1 : kRuledOut;
}

void SimilarSets::join(size_t set, const std::function<void(size_t, double)>& found) {
  const auto join_with = [&](size_t other, double jaccard) {
    groups_.join(set, other);
    found(other, jaccard);
  };
  const size_t num_sought = num_rarest(set);
  for (size_t i = 0; i < num_sought; ++i) {
    if (sets_[set][i] < first_shared_) continue;
    std::vector<Family>& families = families_[sets_[set][i] - first_shared_];
    merge_families(families);
    for (const Family& family : families) {
      const size_t member = family.back().set;
      if (groups_.are_one(set, member)) continue;
      if (family.size() >= kLargeFamily) {
        if (const double jaccard = similarity(set, member); jaccard > 0) {
          join_with(member, jaccard);
          continue;
        }
      }
      for (const Posting& posting : family) count(posting, set, i);
    }
  }
  std::vector<std::pair<double, uint32_t>> similar;
  for (const uint32_t other : counted_) {
    const bool is_candidate = num_shared_[other] != kRuledOut && !groups_.are_one(set, other);
    num_shared_[other] = 0;
    const double jaccard = is_candidate ? similarity(set, other) : 0;
    if (jaccard > 0) similar.emplace_back(-jaccard, other);
  }
  counted_.clear();
  std::sort(similar.begin(), similar.end());  // the most similar first, then the first
  for (const auto& [negative, other] : similar) {
    if (!groups_.are_one(set, other)) join_with(other, -negative);
  }
}

}  // namespace prescript
