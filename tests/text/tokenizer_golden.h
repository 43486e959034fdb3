#pragma once
// The files of tests/golden/tokenizer, which scripts/golden/tokenizer.py makes.

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "io/json.h"
#include "support/temporary_directory.h"

namespace prescript {

inline std::string tokenizer_golden_path(const std::string& name) {
  return std::string(PRESCRIPT_SOURCE_DIR "/tests/golden/tokenizer/") + name;
}

inline nlohmann::json tokenizer_golden(const std::string& name) {
  return parse_json_file(tokenizer_golden_path(name), ExitCode::kData);
}

/// One JSON value a line.
inline std::vector<nlohmann::json> tokenizer_golden_lines(const std::string& name) {
  const std::string text = bytes_of_file(tokenizer_golden_path(name));
  std::vector<nlohmann::json> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    lines.push_back(parse_json(text.substr(begin, end - begin), name, ExitCode::kData));
    begin = end + 1;
  }
  return lines;
}

}  // namespace prescript
