#pragma once
// A task of a study as HTML: on the page, and on paper.

#include <string>

#include "rating/study.h"

namespace prescript {

/// Where a task stands in a rater's work.
struct TaskPlace {
  std::string rater;
  size_t task;    // from 0
  size_t number;  // in the rater's order, from 1
  size_t total;
  size_t done;  // tasks that this rater has rated
};

/// The form of a task, with what the rater chose before.
std::string task_html(const Study& study, const TaskPlace& place, const Choices& chosen);

/// The whole study in the order of one rater, to be printed and filled in by hand. Task numbers and
/// the keys of axes and options are those of the CSV file.
std::string paper_html(const Study& study, const std::string& rater);

}  // namespace prescript
