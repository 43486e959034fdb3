#include "infer/compute_device.h"

#include "base/error.h"
#include "io/quote.h"

namespace prescript {
namespace {

class AbsentCuda final : public BackendTraits {
 public:
  std::string_view name() const override { return "cuda"; }
  DType accumulate_dtype() const override { return DType::kFloat32; }
  DType kv_gradient_dtype() const override { return DType::kFloat32; }
  std::optional<DeviceMemory> device_memory() const override { return DeviceMemory{}; }
  bool holds_blocks() const override { return true; }
};

}  // namespace

std::string settle_device(const std::string& device) {
  if (device == "auto") return cuda_is_available() ? "cuda" : "cpu";
  if (device == "cpu" || device == "cuda") return device;
  throw InputError(ExitCode::kUsage, "device: " + quote(device) + " is not one of cpu, cuda, auto");
}

bool is_device_here(const std::string& device) {
  return settle_device(device) == "cpu" || cuda_is_available();
}

void check_device(const std::string& device) {
  if (!is_device_here(device)) make_cuda_ops();  // throws, and says what is missing
}

std::unique_ptr<Ops> make_ops(const std::string& device, int num_threads) {
  if (settle_device(device) == "cuda") return make_cuda_ops();
  return make_cpu_ops(num_threads == 0 ? default_num_threads() : num_threads);
}

const BackendTraits& absent_cuda() {
  static const AbsentCuda traits;
  return traits;
}

std::string describe_device(const BackendTraits& ops) {
  const std::string name(ops.name());
  return name == "cuda" ? name + " (" + describe_cuda_backend() + ")" : name;
}

}  // namespace prescript
