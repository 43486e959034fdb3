#pragma once
// Items joined two by two into groups (a disjoint-set forest).

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

namespace prescript {

class Groups {
 public:
  /// Each of the items 0 to size - 1 is a group by itself.
  explicit Groups(size_t size) : parents_(size) {
    std::iota(parents_.begin(), parents_.end(), size_t{0});
  }

  /// The first item of the group.
  size_t of(size_t item) {
    while (parents_[item] != item) item = parents_[item] = parents_[parents_[item]];
    return item;
  }
  bool are_one(size_t a, size_t b) { return of(a) == of(b); }
  void join(size_t a, size_t b) {
    const auto [first, second] = std::minmax({of(a), of(b)});
    parents_[second] = first;
  }

 private:
  std::vector<size_t> parents_;
};

}  // namespace prescript
