#pragma once
// adapter_config.json, PEFT's description of an adapter.

#include <string>
#include <string_view>

#include "adapter/adapter.h"

namespace prescript {

/// What PEFT 0.21.2 writes for prompt tuning of a causal language model, to the byte.
std::string peft_config_json(const Adapter& adapter);

/// What any version of PEFT wrote: the size of the prompt (hidden_size 0 when it is not said), the
/// name and size of the base and the text of initialisation, no values. Throws InputError(kModel)
/// for anything but prompt tuning of a causal language model.
Adapter parse_peft_config(std::string_view text, const std::string& path);

}  // namespace prescript
