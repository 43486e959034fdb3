#pragma once
// Attention of a few query rows, as in generation: keys and values are read where they lie.

#include "ops/cpu_attention_merge.h"

namespace prescript::cpu {

/// Whether packing keys and values would take longer than attending to them.
bool has_few_rows(const PartHead& head);

/// Merges all rows of a part that `has_few_rows`.
void attend_few_rows(const PartHead& head, Tensor q_NHE, const KeyValues& kv, const Merged& merged);

}  // namespace prescript::cpu
