// The candidates of a search.

#include "recipe/recipe.h"

namespace prescript {
namespace {

/// Every recipe once with each of `values` at `place`; unchanged where there is no list.
template <typename T, typename Place>
std::vector<Recipe> combined(const std::vector<Recipe>& recipes,
                             const std::optional<std::vector<T>>& values,
                             const Place& place) {
  if (!values) return recipes;
  std::vector<Recipe> all;
  for (const Recipe& recipe : recipes) {
    for (const T& value : *values) {
      all.push_back(recipe);
      place(all.back()) = value;
    }
  }
  return all;
}

}  // namespace

std::vector<Recipe> candidates_of(const Recipe& recipe) {
  std::vector<Recipe> all = {recipe};
  all[0].search = {};
  const auto learning_rate = [](Recipe & r) -> auto& {
    return r.optimizer.learning_rate;
  };
  const auto weight_decay = [](Recipe & r) -> auto& {
    return r.optimizer.weight_decay;
  };
  const auto seed = [](Recipe & r) -> auto& {
    return r.training.seed;
  };
  all = combined(all, recipe.search.learning_rate, learning_rate);
  all = combined(all, recipe.search.weight_decay, weight_decay);
  return combined(all, recipe.search.seed, seed);
}

}  // namespace prescript
