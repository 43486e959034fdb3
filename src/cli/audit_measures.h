#pragma once
// The attacks of an audit, run through the decoder.

#include "audit/result.h"
#include "cli/audit_inputs.h"
#include "infer/adapter_set.h"
#include "infer/base_model.h"

namespace prescript {

struct AuditOptions {
  int64_t num_questions = 20;  // asked of members and of non-members
  int64_t num_samples = 4;     // of each, beside the greedy answer
  double temperature = 1;
  int64_t max_new_tokens = 128;
  int64_t num_alternatives = 255;  // that a canary's secret is ranked among
  uint64_t seed = 1;               // of all that is drawn
};

/// Runs all of them; `adapters` holds the one of `inputs`. Fills what an AuditResult says of
/// membership, recitation and canaries. Throws InputError(kNotFinite) for a loss that is not
/// finite.
class AuditMeasures {
 public:
  AuditMeasures(InferenceInputs& inputs,
                const AuditExemplars& exemplars,
                BaseModel& model,
                const AdapterSet& adapters,
                const AuditOptions& options);

  Membership membership();
  /// Members under the adapter; the same under the base; non-members under the adapter.
  std::vector<Recitation> recitations();
  std::vector<FoundCanary> canaries();

 private:
  /// One exemplar with its answer, under the adapter or the base, behind the adapter's hard prompt.
  Sequence scored(const Exemplar& exemplar, int32_t adapter);
  std::vector<ExemplarLoss> losses(const std::vector<Exemplar>& exemplars, const char* what);
  /// For each of `exemplars`: its greedy answer and its samples.
  std::vector<std::vector<std::string>> answers(const std::vector<const Exemplar*>& exemplars,
                                                int32_t adapter,
                                                const std::string& who);
  Recitation recite(const std::vector<const Exemplar*>& exemplars,
                    int32_t adapter,
                    const std::string& who);
  std::vector<const Exemplar*> some_of(const std::vector<Exemplar>& exemplars, const char* what);

  InferenceInputs& inputs_;
  const AuditExemplars& exemplars_;
  BaseModel& model_;
  const AdapterSet& adapters_;
  const AuditOptions& options_;
};

}  // namespace prescript
