#pragma once
// The text side and the configuration of a base model: everything short of its weights.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapter/adapter.h"
#include "model/decoder_config.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace prescript {

class TensorSource;

/// Opened in milliseconds.
struct BaseModelFiles {
  std::string path;
  DecoderConfig config;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::optional<ChatTemplateText> chat_template;
  std::vector<int32_t> end_tokens;  // end-of-text ids: generation_config, config or GGUF; not empty
  std::shared_ptr<const TensorSource> tensors;

  /// Identity of this base for adapters; hashes the weight files (cached, io/base_hash.h).
  AdapterIdentity identity() const;

  /// The embedding rows of `ids` in float32, [ids, D], for initialising a soft prompt.
  std::vector<float> embedding_rows(const std::vector<int32_t>& ids) const;
};

/// A GGUF file or an HF directory. Throws InputError(kModel), also for weights that do not fit the
/// configuration.
BaseModelFiles open_base_model(const std::string& path);

/// Throws InputError(kModel), each with its own message, when `adapter` (from `place`) does not
/// belong to this base: another width, another tokenizer, another base hash or template (unless
/// `allow_other_base` and the architecture agrees). What passes with a doubt is returned as a
/// warning: an adapter without hashes, another base that was allowed.
std::optional<std::string> check_adapter_fits(const Adapter& adapter,
                                              const std::string& place,
                                              const BaseModelFiles& base,
                                              bool allow_other_base);

}  // namespace prescript
