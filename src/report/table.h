#pragma once
// A table of texts, numbers and small graphics.

#include <optional>
#include <string>
#include <vector>

#include "report/html.h"
#include "report/number_text.h"

namespace prescript {

enum class ColumnKind { kText, kNumber, kGraphic };

struct Column {
  std::string name;
  ColumnKind kind = ColumnKind::kText;
  std::optional<Html> graphic = {};  // under the name: an axis, a swatch
};

struct Cell {
  std::string text;
  std::string detail = {};  // smaller, behind the text: an interval
  std::optional<Html> graphic = {};
};

/// "61.9 %" with "[58.0, 66.1]" as its detail; an en dash when there is no number.
Cell estimate_cell(const std::optional<Estimate>& estimate, NumberStyle style);

/// Rows have a cell for each column. Rows that begin with the same text as the row above form a
/// group: the repeated text is paler, and a group begins with a line.
struct Table {
  std::string caption;
  std::vector<Column> columns = {};
  std::vector<std::vector<Cell>> rows = {};
};

/// Throws ContractError for a row with too few or too many cells. A table without rows says so.
Html table_html(const Table& table);

}  // namespace prescript
