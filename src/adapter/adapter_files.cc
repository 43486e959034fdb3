#include "adapter/adapter_files.h"

#include <cerrno>
#include <filesystem>

#include <sys/stat.h>

#include "adapter/peft_config.h"
#include "adapter/prescript_json.h"
#include "adapter/prompt_tensor.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "base/file_error.h"
#include "base/hash.h"

namespace prescript {
namespace {

namespace fs = std::filesystem;

void write_directory(const std::map<std::string, std::string>& files, const std::string& dir) {
  if (::mkdir(dir.c_str(), 0700) != 0)
    throw_open_error(dir, "cannot make the directory", errno, ExitCode::kUsage);
  for (const auto& [name, bytes] : files) write_file_durably(fs::path(dir) / name, bytes);
}

}  // namespace

std::map<std::string, std::string> adapter_files(const Adapter& adapter) {
  const SoftPrompt& prompt = adapter.prompt;
  PRESCRIPT_CHECK(prompt.num_virtual_tokens > 0 && prompt.hidden_size > 0,
                  "an adapter without virtual tokens");
  if (const auto place = first_not_finite(prompt))
    throw InputError(
        ExitCode::kNotFinite,
        "soft prompt: " + *place + " is not a finite number; an adapter is not written");
  std::map<std::string, std::string> files;
  if (adapter.position == PromptPosition::kStart) {
    files[kPeftConfig] = peft_config_json(adapter);
    files[kPeftTensors] = soft_prompt_file_bytes(prompt);
  } else {
    files[kOwnTensors] = soft_prompt_file_bytes(prompt);
  }
  std::map<std::string, std::string> hashes;
  for (const auto& [name, bytes] : files) hashes[name] = sha256_hex(std::string_view(bytes));
  files[kPrescriptJson] = prescript_json(adapter, hashes);
  return files;
}

void check_adapter_replaceable(const std::string& dir) {
  try {
    if (!fs::exists(fs::symlink_status(dir))) return;
    const bool is_replaceable =
        fs::is_directory(dir) && (fs::is_empty(dir) || fs::exists(dir + "/" + kPrescriptJson));
    if (is_replaceable) return;
  } catch (const fs::filesystem_error& error) {
    throw_open_error(dir, "cannot look into it", error.code().value(), ExitCode::kUsage);
  }
  throw InputError(ExitCode::kUsage,
                   dir +
                       ": something that is not an adapter of prescript is there, and writing "
                       "an adapter would delete it; choose another place or remove it");
}

void publish_adapter(const Adapter& adapter, const std::string& dir) {
  const auto files = adapter_files(adapter);
  check_adapter_replaceable(dir);
  const std::string unpublished = unpublished_path(dir);
  std::error_code ignored;
  fs::remove_all(unpublished, ignored);  // of a run that was killed here
  try {
    write_directory(files, unpublished);
    publish_directory(unpublished, dir);
  } catch (...) {
    fs::remove_all(unpublished, ignored);
    throw;
  }
}

}  // namespace prescript
