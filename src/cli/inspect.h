#pragma once
// What prescript inspect says, one function a kind of thing.

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace prescript {

/// Facts as an object that begins with {"kind", "path"}; each throws InputError for what it cannot
/// read. A model that is there, but not supported, is no exception: "supported" is false, "reason"
/// why.
nlohmann::ordered_json inspect_model(const std::string& path);
nlohmann::ordered_json inspect_adapter(const std::string& dir);
nlohmann::ordered_json inspect_exemplars(const std::string& path);
nlohmann::ordered_json inspect_recipe(const std::string& path,
                                      const std::vector<std::string>& overrides);
nlohmann::ordered_json inspect_evaluation_recipe(const std::string& path,
                                                 const std::vector<std::string>& overrides);
/// `num_answers` are those that lie there; a recipe's, those that it asks for.
nlohmann::ordered_json inspect_evaluation(const std::string& dir);
nlohmann::ordered_json inspect_checkpoint(const std::string& path);
nlohmann::ordered_json inspect_run(const std::string& dir);

/// {"min", "median", "max", "total"} of numbers; null of none. The median of an even
/// number of them is the lower of the two in the middle.
nlohmann::ordered_json summary_of(std::vector<int64_t> values);

/// Writes what the model sees of a recipe's training exemplar `index` (from 0, few-shot exemplars
/// left out): the place of the soft prompt, and which tokens are scored. It is the one command that
/// shows the text of exemplars. Throws InputError(kUsage) for an index that is not there.
void inspect_example(const std::string& recipe_path,
                     const std::vector<std::string>& overrides,
                     int64_t index,
                     bool as_json);

}  // namespace prescript
