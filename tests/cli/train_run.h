#pragma once
// Runs `prescript train` on the tiny model, as a user does.

#include <cstring>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/program.h"
#include "io/safetensors.h"
#include "support/measured_keys.h"
#include "support/tiny_training.h"

namespace prescript {

inline std::vector<double> values_of(const SafetensorsTensor& tensor) {
  std::vector<float> values(tensor.bytes.size() / sizeof(float));
  std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return {values.begin(), values.end()};
}

/// GB of `training.memory_gb` that a refusal says are enough.
inline double enough_memory(const std::string& refusal) {
  const std::string before = " a pass ";
  const size_t at = refusal.find(before);
  if (at == std::string::npos) throw ContractError("no refusal: " + refusal);
  return std::stod(refusal.substr(at + before.size()));
}

class TrainRun : public testing::Test {
 protected:
  using Arguments = std::vector<std::string>;

  TrainRun() { write_tiny_training(directory_); }

  /// `prescript train` in the directory, with these arguments behind it.
  ProcessResult train_with(Arguments arguments, ProcessOptions options = {}) const {
    arguments.insert(arguments.begin(), "train");
    options.directory = directory_.path();
    options.environment.try_emplace("XDG_CACHE_HOME", directory_ / "cache");
    return run_prescript(std::move(arguments), std::move(options));
  }

  /// The same with the recipe first.
  ProcessResult train(Arguments arguments = {}, ProcessOptions options = {}) const {
    arguments.insert(arguments.begin(), "recipe.yaml");
    return train_with(std::move(arguments), std::move(options));
  }

  /// A run that must end well.
  void train_whole(const Arguments& arguments = {}) const {
    const ProcessResult result = train(arguments);
    ASSERT_EQ(result.exit_code, 0) << result.err;
  }

  std::string output(const std::string& name = "out") const {
    return directory_ / ("runs/" + name);
  }

  std::map<std::string, std::string> adapter(const std::string& name = "out") const {
    return files_below(output(name) + "/adapter");
  }

  /// The soft prompt of its adapter.
  std::vector<double> prompt(const std::string& name = "out") const {
    const std::string pefts = output(name) + "/adapter/adapter_model.safetensors";
    const auto file = SafetensorsFile::open(
        std::filesystem::exists(pefts) ? pefts : output(name) + "/adapter/soft_prompt.safetensors");
    return values_of(file->tensors().at(0));
  }

  /// The lines of metrics.jsonl without what differs from run to run.
  std::vector<nlohmann::ordered_json> metrics(const std::string& name = "out") const {
    std::istringstream text(bytes_of_file(output(name) + "/metrics.jsonl"));
    std::vector<nlohmann::ordered_json> lines;
    for (std::string line; std::getline(text, line);) {
      lines.push_back(without_measured(nlohmann::ordered_json::parse(line)));
    }
    return lines;
  }

  TemporaryDirectory directory_;
};

}  // namespace prescript
