#pragma once
// A study before anybody has rated: which answers are shown, in which blinded order.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "rating/axes.h"

namespace prescript {

/// What raters do with the answers: judge each on axes, or rank those of one question.
enum class StudyKind { kClinician, kLay, kRanking };

/// "clinician", "lay", "ranking"; the kind of a name, or nothing.
std::string name_of(StudyKind kind);
std::optional<StudyKind> study_kind(const std::string& name);

/// Where answers come from: an adapter, the base model, a clinician.
struct StudySource {
  std::string name;
  std::optional<std::string> adapter_dir;   // what `select` copies
  std::optional<std::string> adapter_hash;  // of the adapter that gave the answers

  bool operator==(const StudySource&) const = default;
};

struct StudyAnswer {
  size_t source;
  std::string text;

  bool operator==(const StudyAnswer&) const = default;
};

/// What a rater sees at once: a question with one answer or, in a ranking, those of all sources,
/// lettered from A.
struct StudyTask {
  std::string question_id;
  std::string question;  // with its context and options
  std::vector<StudyAnswer> answers;

  bool operator==(const StudyTask&) const = default;
};

struct StudyPlan {
  StudyKind kind = StudyKind::kClinician;
  uint64_t seed = 1;
  std::vector<StudySource> sources;
  std::vector<StudyTask> tasks;  // known by their number, from 1, which says nothing of the source
};

/// The answers of one source by question id.
struct SourceAnswers {
  StudySource source;
  std::vector<std::pair<std::string, std::string>> texts;  // question id, answer
};

struct StudyQuestion {
  std::string id;
  std::string text;
};

struct DrawOptions {
  StudyKind kind = StudyKind::kClinician;
  uint64_t seed = 1;
  std::optional<size_t> limit;  // questions
};

/// Draws, by seed, at most `limit` of the questions that every source answers, and shuffles tasks
/// and the answers within them. Throws InputError(kData) when there is none, InputError(kUsage) for
/// no source, for a ranking of fewer than 2 or more than 9, and for two sources of one name.
StudyPlan draw_study(const std::vector<StudyQuestion>& questions,
                     const std::vector<SourceAnswers>& sources,
                     const DrawOptions& options);

/// What is asked about a task of the study.
std::vector<Axis> axes_of(const StudyPlan& plan);

}  // namespace prescript
