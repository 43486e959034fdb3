#pragma once
// A study on disk: one SQLite file in a directory, which holds the blinded tasks and every rating.

#include <map>
#include <string>
#include <vector>

#include "rating/database.h"
#include "rating/study_plan.h"

namespace prescript {

/// The option chosen on each axis, by their keys.
using Choices = std::map<std::string, std::string>;

/// What one rater says about one task.
struct Rating {
  std::string rater;
  size_t task;  // from 0
  Choices choices;
  std::string submitted_at;  // UTC

  bool operator==(const Rating&) const = default;
};

/// Makes the directory `dir` (0700), whole or not at all. Throws InputError(kUsage) when something
/// is there.
void create_study(const std::string& dir, const StudyPlan& plan);

/// A study that was made. Several processes may have it open.
class Study {
 public:
  /// Throws InputError(kData) for a directory that is no study or a damaged one.
  explicit Study(const std::string& dir);

  const StudyPlan& plan() const { return plan_; }
  const std::vector<Axis>& axes() const { return axes_; }
  /// 32 hexadecimal digits that open the study's page, and a name of 8 for the study itself.
  const std::string& access_key() const { return access_key_; }
  const std::string& name() const { return name_; }

  /// The tasks in the order in which this rater sees them, from the seed and the code.
  std::vector<size_t> order(const std::string& rater) const;

  /// What keeps `choices` from being a rating: "missing: harm_extent"; "" when nothing does.
  std::string problem_with(const Choices& choices) const;

  /// Keeps a rating; when it returns, the disk holds it. An earlier one of the same rater and task
  /// stays in the file as an older revision; an equal one is not kept again. Throws ContractError
  /// for choices with a problem, DeviceError for a full or failing disk.
  void submit(const Rating& rating);

  /// Keeps all of them or none.
  void submit(const std::vector<Rating>& ratings);

  /// The latest revisions of one rater by task, and of all, by rater and task.
  std::map<size_t, Rating> ratings_of(const std::string& rater);
  std::vector<Rating> ratings();

 private:
  void keep(const Rating& rating);
  std::vector<Rating> read(Statement rows) const;

  Database database_;
  StudyPlan plan_;
  std::vector<Axis> axes_;
  std::string access_key_;
  std::string name_;
};

}  // namespace prescript
