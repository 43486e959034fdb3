#pragma once
// When an adapter answers, and when it defers to a clinician (docs/EVALUATION.md).

#include <cstdint>
#include <optional>
#include <string>

#include "adapter/adapter.h"

namespace prescript {

/// Samples of an explained answer to a question with options vote, and the share of the winner must
/// reach the threshold. Measured by prescript evaluate.
struct AdapterDeferral {
  double vote_share = 0;  // answers need at least this
  int64_t num_samples = 0;
  double temperature = 0;
  int64_t max_new_tokens = 0;     // of a sample
  AdapterHardPrompt hard_prompt;  // behind which samples are drawn
  // What it was chosen by.
  double target_accuracy = 0;
  double accuracy = 0;  // of the answers given there
  double deferral_rate = 0;
  int64_t num_questions = 0;
  std::string task = {};
  std::string questions_sha256 = {};  // of their file
};

/// What `set_deferral` put into the adapter's provenance, or nothing. Throws InputError(kModel)
/// "place: ..." for a threshold that nothing could have measured.
std::optional<AdapterDeferral> deferral_of(const Adapter& adapter, const std::string& place);

void set_deferral(Adapter& adapter, const AdapterDeferral& deferral);
void clear_deferral(Adapter& adapter);

}  // namespace prescript
