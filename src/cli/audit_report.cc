#include "cli/audit_report.h"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "base/counted.h"
#include "cli/run_display.h"
#include "cli/terminal.h"
#include "io/quote.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;

std::string in_column(const std::string& text) {
  constexpr size_t kColumns = 15;
  return text + std::string(text.size() < kColumns ? kColumns - text.size() : 1, ' ');
}

/// "0.931 [0.882, 0.968]".
std::string describe(const Estimate& estimate, int digits) {
  return rounded(estimate.value, digits) + " [" + rounded(estimate.low, digits) + ", " +
         rounded(estimate.high, digits) + "]";
}

std::string describe(const MembershipAttack& attack, size_t num_non_members) {
  constexpr double kPercent = 100;
  const Estimate& rate = attack.true_positive_rate;
  return "AUC " + describe(attack.auc, 3) + ", finds " +
         describe(Estimate{rate.value * kPercent, rate.low * kPercent, rate.high * kPercent}, 1) +
         " % of members (chance " +
         rounded(true_positive_rate_by_chance(num_non_members) * kPercent, 1) + " %) " +
         at_false_positives(num_non_members);
}

std::string describe(const FoundRun& run) {
  if (run.num_words == 0) return "none";
  return counted(run.num_words, "word") + ", " + counted(run.num_characters, "character") + ", " +
         counted(run.num_tokens, "token") + " (exemplar " + quote(run.exemplar) +
         (run.question == run.exemplar ? "" : ", asked " + quote(run.question)) + ")";
}

void write_recitation(const Recitation& recitation, bool show) {
  write_result("  " + recitation.who);
  write_result(in_column("") + "own answer: mean " + describe(recitation.mean_words, 1) +
               " words, longest " + printable(describe(recitation.longest_own)));
  write_result(in_column("") + "any member's answer: longest " +
               printable(describe(recitation.longest_any)));
  if (!show) return;
  for (const FoundRun* run : {&recitation.longest_own, &recitation.longest_any}) {
    if (run->num_words > 0) write_result(in_column("") + "| " + printable(run->words));
  }
}

double mean_bits(const std::vector<FoundCanary>& canaries, Exposure FoundCanary::*model) {
  double sum = 0;
  for (const FoundCanary& canary : canaries) sum += (canary.*model).bits;
  return sum / static_cast<double>(canaries.size());
}

void write_canaries(const std::vector<FoundCanary>& canaries) {
  if (canaries.empty()) {
    write_result(in_column("canaries") + "none was planted (canaries.count of the recipe plants)");
    return;
  }
  const size_t num_ranked = canaries[0].with_adapter.num_ranked;
  const auto first = std::ranges::count_if(
      canaries, [](const FoundCanary& canary) { return canary.with_adapter.rank == 1; });
  write_result(in_column("canaries") + counted(canaries.size(), "secret") + ", each ranked among " +
               std::to_string(num_ranked) + ": mean exposure " +
               rounded(mean_bits(canaries, &FoundCanary::with_adapter), 2) + " bits of at most " +
               rounded(std::log2(static_cast<double>(num_ranked)), 2) + ", " +
               std::to_string(first) + " first");
  write_result(in_column("") + "base model " + rounded(mean_bits(canaries, &FoundCanary::base), 2) +
               " bits, chance " + rounded(expected_exposure_by_chance(num_ranked), 2));
}

ordered_json json_of(const Estimate& estimate) {
  return {{"value", estimate.value}, {"low", estimate.low}, {"high", estimate.high}};
}

ordered_json json_of(const MembershipAttack& attack, size_t num_non_members) {
  return {{"auc", json_of(attack.auc)},
          {"true_positive_rate", json_of(attack.true_positive_rate)},
          {"false_positive_rate", kFalsePositiveRate},
          {"false_positives_allowed", false_positives_allowed(num_non_members)},
          {"true_positive_rate_by_chance", true_positive_rate_by_chance(num_non_members)}};
}

ordered_json json_of(const FoundRun& run, bool show) {
  if (run.num_words == 0) return nullptr;
  ordered_json facts = {{"words", run.num_words},
                        {"characters", run.num_characters},
                        {"tokens", run.num_tokens},
                        {"question", run.question},
                        {"exemplar", run.exemplar}};
  if (show) facts["text"] = run.words;
  return facts;
}

ordered_json json_of(const Exposure& exposure) {
  return {{"rank", exposure.rank}, {"of", exposure.num_ranked}, {"bits", exposure.bits}};
}

}  // namespace

const std::vector<std::string>& what_an_audit_does_not_show() {
  static const std::vector<std::string> sentences = {
      "That nothing leaks: these are two simple attacks and one probe, and a stronger one may find "
      "what they miss (shadow models, an attacker who optimises prompts, other questions than the "
      "exemplars').",
      "Anything about the base model's own training data: what the base recites too, it did not "
      "learn from the exemplars.",
      "Differences that are not membership: where members and non-members differ in topic, length "
      "or style, the AUC measures that too. Both must come from one source, divided at random.",
      "More than the sample can: with few exemplars the intervals are wide and rough, and one of "
      "no width (every pair in order) is no certainty. 1 % false positives need 100 non-members; "
      "fewer show only what is found without any.",
      "Paraphrase: a run counts words that are equal, not a fact that is told in other words.",
      "A guarantee. Only the accountant's (epsilon, delta) of a training with privacy is one, and "
      "only for what it counts."};
  return sentences;
}

std::string at_false_positives(size_t num_non_members) {
  if (false_positives_allowed(num_non_members) > 0) return "at 1 % false positives";
  return "without a false positive among " + counted(num_non_members, "non-member");
}

std::string describe_members(const AuditResult& result) {
  if (!result.members_are_of_training) return "taken for the file that was trained on";
  return *result.members_are_of_training
             ? "by its hash the file that was trained on"
             : "by its hash not the file that was trained on; taken for exemplars of it";
}

std::string describe_privacy(const AuditResult& result) {
  if (!result.epsilon) return "trained without; no guarantee";
  return "epsilon " + rounded(*result.epsilon, 3) + " at delta " +
         (result.delta ? decimal(*result.delta) : "unknown") + ", by the accountant" +
         (result.noise_follows_recipe
              ? "; the noise follows from a privacy.seed, and who knows that has no noise"
              : "");
}

std::string decimal(double value) {
  return ordered_json(value).dump();
}

void write_audit(const AuditResult& result, bool show) {
  const Membership& membership = result.membership;
  write_result(in_column("adapter") + printable(result.adapter));
  write_result(in_column("members") + counted(membership.num_members, "exemplar") + " of " +
               printable(result.members) + ", " + describe_members(result));
  write_result(in_column("non-members") + counted(membership.num_non_members, "exemplar") + " of " +
               printable(result.non_members));
  if (result.non_members_chose_step) write_result(in_column("") + kChoseStep);
  write_result(in_column("privacy") + describe_privacy(result));
  if (result.num_few_shot > 0) {
    write_result(in_column("few-shot") + "the adapter holds the text of " +
                 counted(result.num_few_shot, "exemplar") + ", which anybody who has it can read");
  }
  write_result(in_column("membership") + "by loss     " +
               describe(membership.by_loss, membership.num_non_members));
  write_result(in_column("") + "calibrated  " +
               describe(membership.calibrated, membership.num_non_members));
  write_result(in_column("") + "mean loss   members " + rounded(membership.member_loss, 3) +
               " (base " + rounded(membership.member_base_loss, 3) + "), non-members " +
               rounded(membership.non_member_loss, 3) + " (base " +
               rounded(membership.non_member_base_loss, 3) + ")");
  write_result(in_column("") + "intervals   95 %, percentile bootstrap of " +
               std::to_string(BootstrapOptions{}.replicas) + " replicas, seed " +
               std::to_string(result.seed));
  if (!result.recitations.empty()) {
    write_result(in_column("recitation") + "a greedy answer and " +
                 counted(result.samples, "sample") + " at temperature " +
                 decimal(result.temperature) + ", at most " +
                 counted(result.max_new_tokens, "token") + "; runs of equal words in a row");
  }
  for (const Recitation& recitation : result.recitations) write_recitation(recitation, show);
  write_canaries(result.canaries);
  write_result("It does not show");
  for (const std::string& sentence : what_an_audit_does_not_show()) {
    write_result("  * " + sentence);
  }
}

ordered_json audit_json(const AuditResult& result, bool show) {
  const Membership& membership = result.membership;
  ordered_json facts = {
      {"adapter", result.adapter},
      {"members", result.members},
      {"members_are_of_training",
       result.members_are_of_training ? ordered_json(*result.members_are_of_training) : nullptr},
      {"non_members", result.non_members},
      {"non_members_chose_step", result.non_members_chose_step},
      {"few_shot", result.num_few_shot},
      {"epsilon", result.epsilon ? ordered_json(*result.epsilon) : nullptr},
      {"delta", result.delta ? ordered_json(*result.delta) : nullptr},
      {"noise_follows_recipe", result.noise_follows_recipe},
      {"seed", result.seed}};
  facts["membership"] = {{"num_members", membership.num_members},
                         {"num_non_members", membership.num_non_members},
                         {"by_loss", json_of(membership.by_loss, membership.num_non_members)},
                         {"calibrated", json_of(membership.calibrated, membership.num_non_members)},
                         {"member_loss", membership.member_loss},
                         {"non_member_loss", membership.non_member_loss},
                         {"member_base_loss", membership.member_base_loss},
                         {"non_member_base_loss", membership.non_member_base_loss}};
  facts["recitation"] = {{"samples", result.samples},
                         {"temperature", result.temperature},
                         {"max_new_tokens", result.max_new_tokens},
                         {"runs", ordered_json::array()}};
  for (const Recitation& recitation : result.recitations) {
    facts["recitation"]["runs"].push_back({{"who", recitation.who},
                                           {"questions", recitation.num_questions},
                                           {"mean_words", json_of(recitation.mean_words)},
                                           {"longest_own", json_of(recitation.longest_own, show)},
                                           {"longest_any", json_of(recitation.longest_any, show)}});
  }
  facts["canaries"] = ordered_json::array();
  for (const FoundCanary& canary : result.canaries) {
    facts["canaries"].push_back({{"name", canary.name},
                                 {"adapter", json_of(canary.with_adapter)},
                                 {"base", json_of(canary.base)}});
  }
  facts["does_not_show"] = what_an_audit_does_not_show();
  return facts;
}

}  // namespace prescript
