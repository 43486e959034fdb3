#include "rating/ratings_csv.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "io/csv.h"
#include "io/quote.h"
#include "rating/rater.h"

namespace prescript {
namespace {

constexpr const char* kRater = "rater";
constexpr const char* kTask = "task";
constexpr const char* kTime = "submitted_at";

std::vector<std::string> columns_of(const Study& study) {
  std::vector<std::string> columns = {kRater, kTask};
  for (const Axis& axis : study.axes()) columns.push_back(axis.key);
  columns.push_back(kTime);
  return columns;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

/// A file of ratings being read.
class Reader {
 public:
  Reader(std::string_view text, const std::string& place, const Study& study)
      : place_(place), study_(study), rows_(parse_csv(text, place, ExitCode::kData)) {
    if (rows_.empty()) {
      throw InputError(
          ExitCode::kData,
          place_ + ": empty; the first line names the columns: " + joined(columns_of(study_)));
    }
    read_header(rows_.front());
  }

  std::vector<Rating> ratings() {
    std::vector<Rating> ratings;
    std::set<std::pair<std::string, size_t>> seen;
    for (size_t i = 1; i < rows_.size(); ++i) {
      ratings.push_back(rating_of(rows_[i]));
      if (!seen.emplace(ratings.back().rater, ratings.back().task).second) {
        fail(rows_[i].front(), "this rater has rated this task on a line above; keep one");
      }
    }
    return ratings;
  }

 private:
  [[noreturn]] void fail(const CsvCell& cell, const std::string& message) const {
    throw InputError(ExitCode::kData,
                     place_ + ":" + std::to_string(cell.line) + ":" + std::to_string(cell.column) +
                         ": " + message);
  }

  void read_header(const CsvRow& header) {
    if (is_divided_by_semicolons(header)) {
      fail(header.front(), "the columns are divided by semicolons; save the table with commas");
    }
    const auto columns = columns_of(study_);
    for (const CsvCell& cell : header) {
      if (std::find(columns.begin(), columns.end(), cell.text) == columns.end()) {
        fail(cell, "unknown column " + quote(cell.text) + "; the columns are " + joined(columns));
      }
      if (!place_of_.emplace(cell.text, place_of_.size()).second) {
        fail(cell, "the column " + cell.text + " comes twice");
      }
    }
    for (const std::string& column : columns) {
      if (column != kTime && !place_of_.contains(column)) {
        fail(header.front(), "the column " + column + " is missing");
      }
    }
  }

  Rating rating_of(const CsvRow& row) const {
    if (row.size() != place_of_.size()) {
      fail(row.front(),
           std::to_string(row.size()) + " cells; the first line names " +
               std::to_string(place_of_.size()) + " columns");
    }
    const auto cell = [&](const std::string& column) -> const CsvCell& {
      return row[place_of_.at(column)];
    };
    Rating rating{.rater = rater_code(cell(kRater).text),
                  .task = task_of(cell(kTask)),
                  .choices = {},
                  .submitted_at = utc_now()};
    if (rating.rater.empty()) {
      fail(cell(kRater),
           quote(cell(kRater).text) + " is not a rater's code; a code is " + kRaterCodeRule);
    }
    for (const Axis& axis : study_.axes()) {
      rating.choices[axis.key] = option_of(axis, cell(axis.key));
    }
    if (place_of_.contains(kTime) && !cell(kTime).text.empty()) {
      rating.submitted_at = cell(kTime).text;
      if (!is_utc_time(rating.submitted_at)) {
        fail(cell(kTime),
             quote(rating.submitted_at) +
                 " is not a time like 2026-11-27T17:40:00Z; or leave it "
                 "empty");
      }
    }
    return rating;
  }

  size_t task_of(const CsvCell& cell) const {
    const size_t num_tasks = study_.plan().tasks.size();
    const bool is_number = !cell.text.empty() && cell.text.size() <= 9 &&
                           cell.text.find_first_not_of("0123456789") == std::string::npos;
    const size_t number = is_number ? std::stoul(cell.text) : 0;
    if (number < 1 || number > num_tasks) {
      fail(cell,
           quote(cell.text) + " is not the number of a task; this study has 1 to " +
               std::to_string(num_tasks));
    }
    return number - 1;
  }

  std::string option_of(const Axis& axis, const CsvCell& cell) const {
    std::vector<std::string> keys;
    for (const AxisOption& option : axis.options) {
      if (option.key == cell.text) return cell.text;
      keys.push_back(option.key);
    }
    fail(cell, axis.key + ": " + quote(cell.text) + " is not one of " + joined(keys));
  }

  std::string place_;
  const Study& study_;
  std::vector<CsvRow> rows_;
  std::map<std::string, size_t> place_of_;  // of each column
};

}  // namespace

std::string ratings_csv(const Study& study, const std::vector<Rating>& ratings) {
  std::string text = csv_row(columns_of(study));
  for (const Rating& rating : ratings) {
    std::vector<std::string> cells = {rating.rater, std::to_string(rating.task + 1)};
    for (const Axis& axis : study.axes()) cells.push_back(rating.choices.at(axis.key));
    cells.push_back(rating.submitted_at);
    text += csv_row(cells);
  }
  return text;
}

std::vector<Rating> parse_ratings_csv(std::string_view text,
                                      const std::string& place,
                                      const Study& study) {
  return Reader(text, place, study).ratings();
}

std::vector<Rating> new_ratings(Study& study,
                                const std::vector<Rating>& ratings,
                                bool replace,
                                const std::string& place) {
  std::map<std::pair<std::string, size_t>, Choices> held;
  for (const Rating& rating : study.ratings()) held[{rating.rater, rating.task}] = rating.choices;
  std::vector<Rating> result;
  for (const Rating& rating : ratings) {
    const auto found = held.find({rating.rater, rating.task});
    if (found != held.end() && found->second == rating.choices) continue;
    if (found != held.end() && !replace) {
      throw InputError(ExitCode::kData,
                       place + ": rater " + rating.rater + " has rated task " +
                           std::to_string(rating.task + 1) +
                           " otherwise in the study; correct the file, or import with --replace");
    }
    result.push_back(rating);
  }
  return result;
}

}  // namespace prescript
