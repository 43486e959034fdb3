#pragma once
// Where the text side meets the tensor side: rendered ids and a soft prompt become a sequence of
// rows.

#include "adapter/adapter.h"
#include "forest/sequence.h"
#include "text/rendering.h"

namespace prescript {

/// A soft prompt of a forest, and where it stands.
struct SplicedPrompt {
  int32_t index = 0;               // which soft prompt of the forest
  int64_t num_virtual_tokens = 0;  // 0: none
  PromptPosition position = PromptPosition::kStart;
};

/// Index among the ids before which the virtual tokens stand. Throws InputError(kModel) for
/// position after_bos where the rendering has no BOS token.
size_t place_of_soft_prompt(const RenderedExemplar& rendered, PromptPosition position);

/// The whole sequence: ids and virtual tokens as rows, targets as positions among them. Throws
/// as place_of_soft_prompt does.
Sequence splice(const RenderedExemplar& rendered, const SplicedPrompt& prompt);

/// The hard prompt that an adapter was trained with, and the form in which the adapter keeps it.
HardPrompt hard_prompt_of(const AdapterHardPrompt& kept, const std::string& place);
AdapterHardPrompt kept_form_of(const HardPrompt& prompt);

}  // namespace prescript
