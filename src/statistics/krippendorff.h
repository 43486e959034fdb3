#pragma once
// Agreement between raters.

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace prescript {

/// What differs more: on a nominal scale all options differ alike, on an ordinal one they are
/// ordered, and far ones differ more.
enum class RatingScale { kNominal, kOrdinal };

/// Krippendorff's alpha: 1 is perfect agreement, 0 what chance gives, below 0 systematic
/// disagreement. `units` are what was rated; each holds the options, 0 .. num_options - 1 in the
/// order of the scale, that its raters chose, in any order: a rating that is missing is just
/// absent, and a unit with fewer than two says nothing. Any number of raters. Nothing when alpha is
/// not defined: no unit has two ratings, or all of these are equal. Throws   ContractError for an
/// option out of range. Source   Krippendorff, "Computing Krippendorff's alpha-reliability", 2011;
/// the ordinal metric is
///          its section C, without the constant that cancels.
std::optional<double> krippendorff_alpha(std::span<const std::vector<size_t>> units,
                                         size_t num_options,
                                         RatingScale scale);

}  // namespace prescript
