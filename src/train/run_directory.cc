#include "train/run_directory.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <iterator>

#include <sys/stat.h>
#include <unistd.h>

#include "adapter/adapter_files.h"
#include "base/event_file.h"
#include "base/file_error.h"
#include "io/quote.h"

namespace prescript {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStem = "step-";
constexpr std::string_view kExtension = ".safetensors";
constexpr size_t kDigits = 8;
constexpr size_t kCheckpointsKept = 2;

std::string checkpoint_name(int64_t step) {
  const std::string digits = std::to_string(step);
  const size_t zeros = digits.size() < kDigits ? kDigits - digits.size() : 0;
  return std::string(kStem) + std::string(zeros, '0') + digits + std::string(kExtension);
}

std::optional<int64_t> step_of(const std::string& name) {
  if (!name.starts_with(kStem) || !name.ends_with(kExtension)) return std::nullopt;
  int64_t step = 0;
  const char* const end = name.data() + name.size() - kExtension.size();
  const auto [last, error] = std::from_chars(name.data() + kStem.size(), end, step);
  if (error != std::errc() || last != end || step < 0) return std::nullopt;
  return step;
}

/// Makes `dir` and what is missing above it, readable by its owner only. Returns what it made, the
/// innermost first.
std::vector<std::string> make_directories(const std::string& dir) {
  std::error_code error;
  if (fs::is_directory(dir, error)) return {};
  const std::string parent = fs::path(dir).parent_path().string();
  std::vector<std::string> made;
  if (!parent.empty()) made = make_directories(parent);
  if (::mkdir(dir.c_str(), 0700) == 0) {
    made.insert(made.begin(), dir);
    sync_directory(parent.empty() ? "." : parent);
    return made;
  }
  const int error_number = errno;
  if (error_number == EEXIST && fs::is_directory(dir, error)) return made;  // by somebody else
  throw_open_error(dir,
                   "cannot make this directory",
                   error_number == EEXIST ? ENOTDIR : error_number,
                   ExitCode::kUsage);
}

std::string without_trailing_slash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

void remove(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) throw_file_error(path, "cannot remove", error.value());
}

bool exists(const std::string& path) {
  return fs::exists(fs::symlink_status(path));
}

/// Dropping a run deletes its folder of checkpoints: nothing else may be in it.
void check_holds_checkpoints_only(const std::string& dir) {
  if (!exists(dir)) return;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(dir, error)) {
    const std::string name = entry.path().filename().string();
    if (step_of(name) && entry.is_regular_file()) continue;
    throw InputError(ExitCode::kUsage,
                     "output: " + dir + " holds what no run of prescript left there (" +
                         quote(name) + "), and a run would delete it; take another directory");
  }
  if (error) throw_open_error(dir, "cannot look into it", error.value(), ExitCode::kUsage);
}

/// Takes away the name of what must go as a whole or not at all.
void move_aside(const std::string& path) {
  if (::rename(path.c_str(), unpublished_path(path).c_str()) != 0 && errno != ENOENT) {
    throw_file_error(path, "cannot move aside", errno);
  }
}

}  // namespace

std::vector<std::pair<int64_t, std::string>> list_checkpoints(const std::string& checkpoints_dir) {
  std::vector<std::pair<int64_t, std::string>> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(checkpoints_dir, error)) {
    const auto step = step_of(entry.path().filename().string());
    if (step) found.emplace_back(*step, entry.path().string());
  }
  std::sort(found.rbegin(), found.rend());
  return found;
}

RunDirectory::RunDirectory(std::string path, Mode mode)
    : path_(without_trailing_slash(std::move(path))) {
  made_ = make_directories(path_);
  lock_.emplace(path_);
  // Checkpoints that were moved aside: dropping the old run was cut off, and its adapter goes too.
  if (exists(unpublished_path(checkpoints_path()))) move_aside(adapter_path());
  remove_unpublished(path_);
  if (fs::is_directory(checkpoints_path())) remove_unpublished(checkpoints_path());
  check_holds_checkpoints_only(checkpoints_path());
  check_adapter_replaceable(adapter_path());
  if (mode != Mode::kNew) return;
  for (const std::string& mark :
       {recipe_path(), metrics_path(), checkpoints_path(), adapter_path()}) {
    if (!exists(mark)) continue;
    throw InputError(ExitCode::kUsage,
                     "output: " + path_ + " holds a training run already (" +
                         fs::path(mark).filename().string() +
                         "); --resume goes on with it, --overwrite drops it, output=DIR takes "
                         "another directory");
  }
}

RunDirectory::~RunDirectory() {
  std::error_code error;
  const auto size = std::distance(fs::directory_iterator(path_, error), fs::directory_iterator());
  if (made_.empty() || error || size != 1) return;
  ::unlink((path_ + "/" + std::string(DirectoryLock::kFileName)).c_str());
  for (const std::string& dir : made_) ::rmdir(dir.c_str());  // fails where others put something
}

std::string RunDirectory::events_path() const {
  return path_ + "/" + std::string(EventFile::kFileName);
}

std::optional<Checkpoint> RunDirectory::newest_checkpoint(
    const std::function<void(const std::string&)>& on_damaged) const {
  const auto checkpoints = list_checkpoints(checkpoints_path());
  for (const auto& [step, file] : checkpoints) {
    try {
      return read_checkpoint(file);
    } catch (const InputError& error) {
      on_damaged(error.what());
    }
  }
  if (checkpoints.empty() && exists(adapter_path())) {
    throw InputError(ExitCode::kUsage,
                     "output: " + path_ +
                         " holds an adapter, but no checkpoint to go on from; --overwrite starts "
                         "the run again and replaces it, output=DIR takes another directory");
  }
  if (checkpoints.empty()) return std::nullopt;
  throw InputError(
      ExitCode::kUsage,
      checkpoints_path() + ": no checkpoint in it can be read; --overwrite starts the run again");
}

void RunDirectory::begin(const std::string& recipe_yaml, const std::string& canaries) {
  // The old run ends in one step, so that nothing goes on with half of it, and its adapter is never
  // seen in part. The recipe goes last: as long as it is there, the directory holds a run.
  const std::vector<std::string> old_directories = {checkpoints_path(), adapter_path()};
  for (const std::string& old : old_directories) move_aside(old);
  sync_directory(path_);
  for (const std::string& old : old_directories) remove(unpublished_path(old));
  for (const std::string& old : {metrics_path(), events_path(), search_path(), canaries_path()}) {
    remove(old);
  }
  make_directories(checkpoints_path());
  if (!canaries.empty()) write_file_durably(canaries_path(), canaries);
  replace_recipe(recipe_yaml);
}

void RunDirectory::replace_recipe(const std::string& recipe_yaml) {
  write_file_durably(recipe_path(), recipe_yaml);
}

void RunDirectory::save(const Checkpoint& checkpoint) {
  make_directories(checkpoints_path());
  const std::string path = checkpoints_path() + "/" + checkpoint_name(checkpoint.state.step);
  write_file_durably(path, checkpoint_bytes(checkpoint));
  const auto checkpoints = list_checkpoints(checkpoints_path());
  for (size_t i = kCheckpointsKept; i < checkpoints.size(); ++i) remove(checkpoints[i].second);
}

}  // namespace prescript
