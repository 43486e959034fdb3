#pragma once
// What an audit found, as plain structs: what is written as text, JSON and a page.

#include <optional>
#include <string>
#include <vector>

#include "audit/exposure.h"
#include "audit/membership.h"

namespace prescript {

/// A run of words of an exemplar's answer in a generated text.
struct FoundRun {
  size_t num_words = 0;
  size_t num_characters = 0;
  size_t num_tokens = 0;      // of the run by itself
  std::string question = {};  // id of the exemplar whose question was asked
  std::string exemplar = {};  // id of the one whose answer has the run
  std::string words = {};     // the run itself: exemplar text
};

/// Questions of some exemplars, asked several times.
struct Recitation {
  std::string who;  // "members under the adapter"
  size_t num_questions = 0;
  Estimate mean_words = {};   // of the longest run of each question's own answer
  FoundRun longest_own = {};  // of the own answer, over all questions
  FoundRun longest_any = {};  // of any member's answer
};

struct FoundCanary {
  std::string name;
  Exposure with_adapter;
  Exposure base;
};

struct AuditResult {
  std::string adapter;  // its directory
  std::string members;  // the files
  std::string non_members;
  /// Whether the members' file is that of the training, by its hash; absent: the adapter does not
  /// say, as under privacy.
  std::optional<bool> members_are_of_training = {};
  bool non_members_chose_step = false;  // the file validated the training, by its hash
  size_t num_few_shot = 0;              // exemplars that the adapter holds as they are
  std::optional<double> epsilon = {};   // of the accountant; absent: trained without privacy
  std::optional<double> delta = {};
  bool noise_follows_recipe = false;  // its key was privacy.seed

  Membership membership;
  std::vector<Recitation> recitations = {};
  size_t samples = 0;  // of each question, beside the greedy answer
  double temperature = 0;
  size_t max_new_tokens = 0;
  std::vector<FoundCanary> canaries = {};  // none was planted, or found
  uint64_t seed = 0;
};

}  // namespace prescript
