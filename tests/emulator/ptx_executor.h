#pragma once
// Runs kernels by the PTX that nvcc makes of them: its optimised code and our inline assembly, the
// part that code compiled for the host cannot show.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "emulator/ptx_module.h"
#include "emulator/runtime.h"

namespace prescript::emulator {

class PtxExecutor final : public Executor {
 public:
  /// Reads every .ptx file of the folder. Throws std::runtime_error.
  explicit PtxExecutor(const std::filesystem::path& folder);

  /// Throws KernelFault where no entry has the name of the kernel that LAUNCH was given.
  void run(const Launch& launch) override;

  /// Entries read, and those that ran.
  size_t num_entries() const { return entries_.size(); }
  size_t num_run() const { return num_launches_.size(); }

 private:
  struct Found {
    const PtxModule* module = nullptr;
    const PtxEntry* entry = nullptr;
  };
  const Found& find(const Launch& launch);

  std::vector<PtxModule> modules_;
  std::map<std::string, Found> entries_;  // by what the host calls the kernel
  std::map<const void*, Found> by_function_;
  std::map<const PtxEntry*, int64_t> num_launches_;
};

}  // namespace prescript::emulator
