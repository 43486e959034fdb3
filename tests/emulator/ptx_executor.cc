#include "emulator/ptx_executor.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <regex>
#include <stdexcept>

#include <cxxabi.h>

#include "emulator/host_symbols.h"
#include "emulator/ptx_thread.h"

namespace prescript::emulator {
namespace {

/// The name of a kernel as both compilers would write it: nvcc calls an unnamed namespace by its
/// file, and bfloat16 by its own type.
std::string common_name(const std::string& symbol) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> demangled(
      abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status), &std::free);
  if (demangled == nullptr) return symbol;
  static const std::regex unnamed("_GLOBAL__N__\\w+");
  static const std::regex bfloat16("prescript::cuda::bf16|__nv_bfloat16");
  const std::string name = std::regex_replace(demangled.get(), unnamed, "(anonymous namespace)");
  return std::regex_replace(name, bfloat16, "bf16");
}

}  // namespace

PtxExecutor::PtxExecutor(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() == ".ptx") paths.push_back(file.path());
  }
  std::ranges::sort(paths);
  for (const std::filesystem::path& path : paths) {
    std::ifstream file(path);
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    modules_.push_back(parse_ptx(text, path.filename()));
  }
  for (const PtxModule& module : modules_) {
    for (const auto& [symbol, entry] : module.entries) {
      const std::string name = common_name(symbol);
      if (!entries_.try_emplace(name, Found{&module, &entry}).second) {
        throw std::runtime_error(module.path + ": two kernels are called " + name);
      }
    }
  }
}

const PtxExecutor::Found& PtxExecutor::find(const Launch& launch) {
  const auto known = by_function_.find(launch.function);
  if (known != by_function_.end()) return known->second;
  for (const std::string& symbol : symbols_at(launch.function)) {
    const auto found = entries_.find(common_name(symbol));
    if (found != entries_.end()) return by_function_[launch.function] = found->second;
  }
  fail(std::string(launch.kernel) + ": no PTX of this kernel");
}

void PtxExecutor::run(const Launch& launch) {
  const Found& found = find(launch);
  const PtxEntry& entry = *found.entry;
  ++num_launches_[&entry];
  const bool is_alike = std::ranges::equal(entry.parameters,
                                           launch.parameters,
                                           {},
                                           &PtxEntry::Parameter::bytes,
                                           &Launch::Parameter::bytes);
  if (!is_alike) fail(std::string(launch.kernel) + ": its parameters are of other sizes in PTX");
  // Of 16-byte aligned words: parameters may be vectors.
  std::vector<std::max_align_t> words(entry.parameter_bytes / sizeof(std::max_align_t) + 1);
  auto* parameters = reinterpret_cast<unsigned char*>(words.data());
  for (size_t p = 0; p < entry.parameters.size(); ++p) {
    const Launch::Parameter& parameter = launch.parameters[p];
    std::memcpy(parameters + entry.parameters[p].offset, parameter.data, parameter.bytes);
  }
  Launch whole = launch;
  whole.shared_bytes += found.module->static_shared_bytes;
  run_grid(whole, [&] {
    auto* shared = static_cast<unsigned char*>(dynamic_shared());
    PtxThread(*found.module, entry, parameters, shared, whole.shared_bytes).run();
  });
}

}  // namespace prescript::emulator
