#pragma once
// A study small enough to be followed by eye: three questions, answered by two sources.

#include <gtest/gtest.h>

#include "rating/study.h"
#include "support/temporary_directory.h"

namespace prescript {

inline StudyPlan small_plan(StudyKind kind, uint64_t seed = 1) {
  const std::vector<StudyQuestion> questions = {
      {"q1", "First question?"}, {"q2", "Second question?"}, {"q3", "Third question?"}};
  std::vector<SourceAnswers> sources;
  for (const char* name : {"clinician", "adapter"}) {
    SourceAnswers answers{.source = {.name = name, .adapter_dir = {}, .adapter_hash = {}},
                          .texts = {}};
    for (const StudyQuestion& question : questions) {
      answers.texts.emplace_back(question.id, std::string(name) + "'s words on " + question.id);
    }
    sources.push_back(answers);
  }
  return draw_study(questions, sources, {.kind = kind, .seed = seed, .limit = {}});
}

/// On every axis the option at `index` (modulo their number).
inline Choices every_axis(const Study& study, size_t index) {
  Choices choices;
  for (const Axis& axis : study.axes()) {
    choices[axis.key] = axis.options[index % axis.options.size()].key;
  }
  return choices;
}

inline std::string new_small_study(const TemporaryDirectory& directory, StudyKind kind) {
  create_study(directory / "study", small_plan(kind));
  return directory / "study";
}

}  // namespace prescript
