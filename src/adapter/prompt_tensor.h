#pragma once
// The one tensor of an adapter, in a safetensors file (docs/ADAPTER_FORMAT.md).

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "adapter/soft_prompt.h"
#include "io/mapped_file.h"

namespace prescript {

/// The file as PEFT writes it: one tensor `prompt_embeddings`, F32, metadata {"format": "pt"}.
std::string soft_prompt_file_bytes(const SoftPrompt& prompt);

/// Reads F32, F16 or BF16. Throws InputError(kModel) for extra or missing tensors, another type, a
/// shape that is not [num_virtual_tokens, hidden_size] (0: any width), values that are not finite.
SoftPrompt read_soft_prompt(const std::shared_ptr<const MappedFile>& file,
                            int64_t num_virtual_tokens,
                            int64_t hidden_size);

/// "virtual token 3, column 17" of the first value that is not finite.
std::optional<std::string> first_not_finite(const SoftPrompt& prompt);

}  // namespace prescript
