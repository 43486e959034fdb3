#include "text/canary.h"

#include <set>

#include "base/error.h"
#include "base/random.h"

namespace prescript {
namespace {

constexpr uint64_t kNumSecrets = 1'000'000;
constexpr size_t kDigits = 6;
constexpr size_t kLetters = 4;

constexpr std::string_view kId = "canary-";
constexpr std::string_view kAnswerEnd = ".";

std::string answer_begin(const std::string& name) {
  return "The secret number of canary " + name + " is ";
}

/// With leading zeros.
std::string digits_of(uint64_t number) {
  const std::string digits = std::to_string(number);
  return std::string(kDigits - digits.size(), '0') + digits;
}

}  // namespace

std::vector<Canary> draw_canaries(int64_t count, uint64_t seed) {
  RandomStream stream(seed, "canaries");
  std::set<std::string> names;
  std::vector<Canary> canaries;
  while (std::ssize(canaries) < count) {
    std::string name;
    for (size_t i = 0; i < kLetters; ++i) name += static_cast<char>('A' + stream.below(26));
    std::string secret = digits_of(stream.below(kNumSecrets));
    if (names.insert(name).second) canaries.push_back({std::move(name), std::move(secret)});
  }
  return canaries;
}

std::vector<std::string> alternative_secrets(const Canary& canary, int64_t count, uint64_t seed) {
  PRESCRIPT_CHECK(count < static_cast<int64_t>(kNumSecrets), "more secrets than there are");
  RandomStream stream(seed, "secrets of canary " + canary.name);
  std::set<std::string> seen = {canary.secret};
  std::vector<std::string> secrets;
  while (std::ssize(secrets) < count) {
    std::string secret = digits_of(stream.below(kNumSecrets));
    if (seen.insert(secret).second) secrets.push_back(std::move(secret));
  }
  return secrets;
}

Exemplar canary_exemplar(const Canary& canary, const std::string& secret, int64_t repetition) {
  Exemplar exemplar;
  exemplar.id =
      std::string(kId) + canary.name + (repetition == 1 ? "" : "-" + std::to_string(repetition));
  exemplar.place = "canaries: " + exemplar.id;
  exemplar.question = "This is a test record, not a patient. What is the secret number of canary " +
                      canary.name + "?";
  exemplar.answer = answer_begin(canary.name) + secret + std::string(kAnswerEnd);
  return exemplar;
}

std::string canary_lines(const std::vector<Canary>& canaries) {
  std::string lines;
  for (const Canary& canary : canaries) {
    lines += exemplar_json(canary_exemplar(canary, canary.secret)) + "\n";
  }
  return lines;
}

std::vector<Canary> read_canaries(const std::string& path) {
  std::vector<Canary> canaries;
  for (const Exemplar& exemplar : read_exemplars(path, /*need_answer=*/true)) {
    Canary canary;
    if (exemplar.id.starts_with(kId)) canary.name = exemplar.id.substr(kId.size());
    const std::string begin = answer_begin(canary.name);
    const std::string& answer = *exemplar.answer;
    if (answer.size() == begin.size() + kDigits + kAnswerEnd.size() && answer.starts_with(begin)) {
      canary.secret = answer.substr(begin.size(), kDigits);
    }
    const Exemplar made = canary_exemplar(canary, canary.secret);
    if (canary.secret.empty() || made.question != exemplar.question || made.answer != answer ||
        canary.secret.find_first_not_of("0123456789") != std::string::npos) {
      throw InputError(ExitCode::kData,
                       exemplar.place +
                           ": not a canary as `prescript train` plants them; take the "
                           "canaries.jsonl of the run's directory");
    }
    canaries.push_back(std::move(canary));
  }
  return canaries;
}

}  // namespace prescript
