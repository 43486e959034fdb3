#pragma once
// prescript generate --defer: answers that enough samples agree on, and deferral of the others.

#include <cstdint>
#include <span>

#include "cli/inference.h"

namespace prescript {

/// Draws the samples that each question's adapter asks for, lets them vote, and writes for each
/// question the first sample of the winner or, where its share stays below the adapter's threshold,
/// "deferred to a clinician". Throws InputError: kUsage for the base and for an adapter without a
/// threshold, kData for a question without options.
int answer_or_defer(const InferenceInputs& inputs,
                    std::span<const Question> questions,
                    uint64_t seed,
                    bool json);

}  // namespace prescript
