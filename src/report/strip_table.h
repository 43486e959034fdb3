#pragma once
// Tables whose rows are drawn: an interval on a common axis (a forest plot), or a bar of shares.
// The numbers stand beside the drawing, so that nothing has to be read off it.

#include <optional>
#include <string>
#include <vector>

#include "report/table.h"

namespace prescript {

struct IntervalRow {
  std::vector<std::string> labels;       // one for each label column
  std::optional<Estimate> estimate;      // absent or NaN: nothing is drawn
  std::optional<double> reference = {};  // a dashed mark: chance, or no difference
  std::vector<Cell> details = {};        // one for each detail column
};

/// One estimate a row, all on one axis.
struct IntervalTable {
  std::string caption;
  std::vector<std::string> label_columns = {};
  std::string value_column = {};
  NumberStyle style = NumberStyle::kPercent;
  std::vector<Column> detail_columns = {};
  std::vector<IntervalRow> rows = {};
};

Table interval_table(const IntervalTable& intervals);

struct ShareRow {
  std::vector<std::string> labels;
  std::vector<std::optional<Estimate>>
      shares;  // of each option; what is drawn adds up to 1 at most
};

/// One stacked bar a row, and the share of each option with its interval.
struct ShareTable {
  std::string caption;
  std::vector<std::string> label_columns = {};
  std::vector<std::string> options = {};
  std::vector<ShareRow> rows = {};
};

Table share_table(const ShareTable& shares);

}  // namespace prescript
