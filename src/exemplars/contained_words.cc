#include "exemplars/contained_words.h"

#include <algorithm>
#include <set>
#include <unordered_map>

namespace prescript {
namespace {

constexpr uint64_t kBase = 0x9e3779b97f4a7c15u;  // odd, so that no word is lost

/// Hashes of any run of a text's words, from those of its beginnings (Rabin and Karp).
class RunHashes {
 public:
  explicit RunHashes(const Words& words) : beginnings_{0} {
    for (const uint64_t word : words) beginnings_.push_back(beginnings_.back() * kBase + word);
    while (powers_.size() < beginnings_.size()) powers_.push_back(powers_.back() * kBase);
  }

  uint64_t hash(size_t begin, size_t length) const {
    return beginnings_[begin + length] - beginnings_[begin] * powers_[length];
  }

 private:
  std::vector<uint64_t> beginnings_;
  std::vector<uint64_t> powers_ = {1};
};

/// The needles, by their words and by how they begin.
class Needles {
 public:
  explicit Needles(std::span<const Words> needles) : needles_(needles) {
    for (size_t i = 0; i < needles.size(); ++i) {
      const size_t length = needles[i].size();
      if (length < kFewestContainedWords) continue;
      const RunHashes hashes(needles[i]);
      by_words_.try_emplace(hashes.hash(0, length), i);
      lengths_[hashes.hash(0, kFewestContainedWords)].insert(length);
    }
  }

  /// Appends the needles that stand in `words`.
  void find(const Words& words, std::set<size_t>& found) const {
    if (words.size() < kFewestContainedWords) return;
    const RunHashes hashes(words);
    for (size_t begin = 0; begin + kFewestContainedWords <= words.size(); ++begin) {
      const auto lengths = lengths_.find(hashes.hash(begin, kFewestContainedWords));
      if (lengths == lengths_.end()) continue;
      for (const size_t length : lengths->second) {
        if (begin + length > words.size()) break;
        const auto needle = by_words_.find(hashes.hash(begin, length));
        if (needle == by_words_.end()) continue;
        const Words& sought = needles_[needle->second];
        const auto at = words.begin() + static_cast<ptrdiff_t>(begin);
        if (sought.size() == length && std::equal(sought.begin(), sought.end(), at))
          found.insert(needle->second);
      }
    }
  }

 private:
  std::span<const Words> needles_;
  std::unordered_map<uint64_t, size_t> by_words_;
  std::unordered_map<uint64_t, std::set<size_t>> lengths_;  // of needles, by their first words
};

}  // namespace

void for_each_contained(std::span<const Words> needles,
                        std::span<const std::vector<Words>> haystacks,
                        const std::function<void(size_t, size_t)>& found) {
  const Needles sought(needles);
  for (size_t i = 0; i < haystacks.size(); ++i) {
    std::set<size_t> here;
    for (const Words& text : haystacks[i]) sought.find(text, here);
    for (const size_t needle : here) found(needle, i);
  }
}

}  // namespace prescript
