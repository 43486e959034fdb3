#pragma once
// The numbers of scripts/golden/statistics.py, read.

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "io/json.h"
#include "statistics/judged_answer.h"

namespace prescript {

inline nlohmann::json golden_statistics(const std::string& name) {
  return parse_json_file(PRESCRIPT_SOURCE_DIR "/tests/golden/statistics/" + name + ".json",
                         ExitCode::kData);
}

inline std::vector<JudgedAnswer> judged_answers(const nlohmann::json& golden) {
  std::vector<JudgedAnswer> answers;
  for (size_t i = 0; i < golden["confidence"].size(); ++i)
    answers.push_back({golden["confidence"][i].get<double>(), golden["correct"][i].get<bool>()});
  return answers;
}

}  // namespace prescript
