#pragma once
// Ratings as CSV: handed to other programs, and typed in from paper.

#include <string>
#include <string_view>
#include <vector>

#include "rating/study.h"

namespace prescript {

/// One row a rating: `rater`, `task` (its number, from 1), an axis a column with the key of its
/// option, `submitted_at`. Nothing in it tells the source of an answer.
std::string ratings_csv(const Study& study, const std::vector<Rating>& ratings);

/// Reads such a file; columns may stand in any order and `submitted_at` may be absent or empty (the
/// time is then this moment). Throws InputError(kData) "place:line:column: ..." for an unknown,
/// missing or doubled column, a code, task, option or time that cannot be, a row of another length,
/// and two rows of one rater and task.
std::vector<Rating> parse_ratings_csv(std::string_view text,
                                      const std::string& place,
                                      const Study& study);

/// Those of `ratings` that `study` does not hold yet. Throws InputError(kData) for one that it
/// holds otherwise, unless `replace`.
std::vector<Rating> new_ratings(Study& study,
                                const std::vector<Rating>& ratings,
                                bool replace,
                                const std::string& place);

}  // namespace prescript
