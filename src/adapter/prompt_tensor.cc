#include "adapter/prompt_tensor.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "io/gguf_quantization.h"
#include "io/quote.h"
#include "io/safetensors.h"

namespace prescript {
namespace {

constexpr const char* kTensorName = "prompt_embeddings";

std::string text_of(const std::vector<int64_t>& shape) {
  std::string text;
  for (const int64_t size : shape) text += (text.empty() ? "" : ", ") + std::to_string(size);
  return "[" + text + "]";
}

/// GGUF's types of the same names hold the same bits.
std::optional<GgmlType> type_of(const std::string& dtype) {
  if (dtype == "F32") return GgmlType::kF32;
  if (dtype == "F16") return GgmlType::kF16;
  if (dtype == "BF16") return GgmlType::kBF16;
  return std::nullopt;
}

}  // namespace

std::string soft_prompt_file_bytes(const SoftPrompt& prompt) {
  return safetensors_file_bytes({{.name = kTensorName,
                                  .dtype = "F32",
                                  .shape = {prompt.num_virtual_tokens, prompt.hidden_size},
                                  .bytes = std::as_bytes(std::span(prompt.values_PD))}},
                                {{"format", "pt"}});
}

SoftPrompt read_soft_prompt(const std::shared_ptr<const MappedFile>& mapped,
                            int64_t num_virtual_tokens,
                            int64_t hidden_size) {
  const SafetensorsFile file(mapped, ExitCode::kModel);
  const auto fail = [&](const std::string& message) {
    throw InputError(ExitCode::kModel, file.path() + ": " + message);
  };
  const SafetensorsTensor* tensor = file.find(kTensorName);
  if (tensor == nullptr)
    fail(std::string("the tensor ") + kTensorName +
         " is missing; a prompt-tuning adapter holds it and no other");
  for (const SafetensorsTensor& other : file.tensors()) {
    if (&other != tensor)
      fail("the tensor " + quote(other.name) + " is not expected; a prompt-tuning adapter holds " +
           kTensorName + " and no other, and without the rest this one would be used wrongly");
  }
  const auto type = type_of(tensor->dtype);
  if (!type)
    fail(std::string(kTensorName) + " is of type " + tensor->dtype +
         "; F32, F16 and BF16 are readable: convert it");
  const bool fits = tensor->shape.size() == 2 && tensor->shape[0] == num_virtual_tokens &&
                    tensor->shape[1] > 0 && (hidden_size == 0 || tensor->shape[1] == hidden_size);
  if (!fits)
    fail(std::string(kTensorName) + " has shape " + text_of(tensor->shape) +
         ", the adapter's description says [" + std::to_string(num_virtual_tokens) + ", " +
         (hidden_size == 0 ? "width of the base" : std::to_string(hidden_size)) +
         "]; the files do not belong together");
  SoftPrompt prompt{.num_virtual_tokens = num_virtual_tokens,
                    .hidden_size = tensor->shape[1],
                    .values_PD = std::vector<float>(num_virtual_tokens * tensor->shape[1])};
  dequantize(*type, tensor->bytes, prompt.values_PD);
  if (const auto place = first_not_finite(prompt))
    fail(*place + " is not a finite number; its training diverged: train it again");
  return prompt;
}

std::optional<std::string> first_not_finite(const SoftPrompt& prompt) {
  const auto& values = prompt.values_PD;
  const auto found =
      std::find_if(values.begin(), values.end(), [](float x) { return !std::isfinite(x); });
  if (found == values.end()) return std::nullopt;
  const auto index = found - values.begin();
  return "virtual token " + std::to_string(index / prompt.hidden_size) + ", column " +
         std::to_string(index % prompt.hidden_size);
}

}  // namespace prescript
