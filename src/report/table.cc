#include "report/table.h"

#include <cmath>
#include <limits>
#include <string_view>

#include "base/error.h"

namespace prescript {
namespace {

constexpr size_t kShortTable = 12;  // rows that are printed on one page

std::string_view class_of(ColumnKind kind) {
  switch (kind) {
    case ColumnKind::kText:
      return "";
    case ColumnKind::kNumber:
      return " class=\"number\"";
    case ColumnKind::kGraphic:
      return " class=\"strip\"";
  }
  return "";
}

std::string header_html(const Column& column) {
  std::string html = "<th scope=\"col\"" + std::string(class_of(column.kind)) + ">";
  // A swatch stands before the name, an axis below it.
  const bool axis = column.kind == ColumnKind::kGraphic;
  if (column.graphic && !axis) html += column.graphic->source;
  html += inline_text(column.name).source;
  if (column.graphic && axis) html += column.graphic->source;
  return html + "</th>";
}

std::string content_html(const Cell& cell) {
  std::string html;
  if (cell.graphic) html += cell.graphic->source;
  if (!cell.text.empty()) html += inline_text(cell.text).source;
  if (!cell.detail.empty()) html += " <small>" + escape_html(cell.detail) + "</small>";
  return html;
}

std::string row_html(const Table& table, size_t r) {
  const std::vector<Cell>& row = table.rows[r];
  PRESCRIPT_CHECK(row.size() == table.columns.size(),
                  std::to_string(row.size()) + " cells in " + std::to_string(table.columns.size()) +
                      " columns of " + table.caption);
  const bool repeated = r > 0 && row[0].text == table.rows[r - 1][0].text;
  std::string html = repeated ? "<tr class=\"more\">" : "<tr>";
  for (size_t c = 0; c < row.size(); ++c) {
    if (c == 0)
      html += "<th scope=\"row\">" + content_html(row[c]) + "</th>";
    else
      html += "<td" + std::string(class_of(table.columns[c].kind)) + ">" + content_html(row[c]) +
              "</td>";
  }
  return html + "</tr>\n";
}

}  // namespace

Cell estimate_cell(const std::optional<Estimate>& estimate, NumberStyle style) {
  const double none = std::numeric_limits<double>::quiet_NaN();
  if (!estimate || std::isnan(estimate->value)) return {.text = number_text(none, style)};
  return {.text = number_text(estimate->value, style), .detail = interval_text(*estimate, style)};
}

Html table_html(const Table& table) {
  const bool is_short = table.rows.size() <= kShortTable;
  std::string html = std::string("<div class=\"scroll") + (is_short ? " short" : "") +
                     "\"><table><caption>" + escape_html(table.caption) + "</caption>\n<thead><tr>";
  for (const Column& column : table.columns) html += header_html(column);
  html += "</tr></thead>\n<tbody>\n";
  for (size_t r = 0; r < table.rows.size(); ++r) html += row_html(table, r);
  if (table.rows.empty())
    html += "<tr><td colspan=\"" + std::to_string(table.columns.size()) +
            "\">nothing to show</td></tr>\n";
  return {html + "</tbody></table></div>\n"};
}

}  // namespace prescript
