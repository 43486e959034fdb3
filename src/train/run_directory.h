#pragma once
// The output directory of a run: who may write into it, and what lies where.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/durable_file.h"
#include "train/run_state.h"

namespace prescript {

/// Held by one process for as long as it lives.
class RunDirectory {
 public:
  enum class Mode {
    kNew,        // refused when it holds a run
    kResume,     // goes on with what it holds, if anything
    kOverwrite,  // what it holds is dropped when the new run begins
  };

  /// Makes the directory (0700) where it is absent, locks it and clears what a crash left half
  /// written. Throws InputError(kUsage) when it holds a run and `mode` is kNew, when another
  /// process holds it, when something that no run left stands where a run's files go (it would be
  /// deleted), or when it cannot be written.
  RunDirectory(std::string path, Mode mode);
  /// Removes the directory, and those above it, when this process made it and no run has begun.
  ~RunDirectory();
  RunDirectory(const RunDirectory&) = delete;
  RunDirectory& operator=(const RunDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string recipe_path() const { return path_ + "/recipe.yaml"; }
  std::string metrics_path() const { return path_ + "/metrics.jsonl"; }
  std::string events_path() const;
  std::string search_path() const { return path_ + "/search.json"; }
  std::string adapter_path() const { return path_ + "/adapter"; }
  std::string canaries_path() const { return path_ + "/canaries.jsonl"; }

  /// The newest checkpoint that is whole; `on_damaged` is told why a newer one is passed over.
  /// Throws InputError(kUsage) when there are checkpoints and none is whole, or none beside an
  /// adapter, which starting again would replace.
  std::optional<Checkpoint> newest_checkpoint(
      const std::function<void(const std::string&)>& on_damaged) const;

  /// Drops what an earlier run left and writes the recipe: the directory holds the new run. Where
  /// exemplars were planted, `canaries` are their lines.
  void begin(const std::string& recipe_yaml, const std::string& canaries = "");

  /// Writes the recipe of a run that goes on.
  void replace_recipe(const std::string& recipe_yaml);

  /// Makes a checkpoint durable, then drops all but the newest two.
  void save(const Checkpoint& checkpoint);

 private:
  std::string checkpoints_path() const { return path_ + "/checkpoints"; }

  std::string path_;
  std::vector<std::string> made_;  // directories that were not there before
  std::optional<DirectoryLock> lock_;
};

/// The steps of the checkpoints in a run's `checkpoints` folder, newest first, and their files.
std::vector<std::pair<int64_t, std::string>> list_checkpoints(const std::string& checkpoints_dir);

}  // namespace prescript
