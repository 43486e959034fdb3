#include "report/strip_table.h"

#include <algorithm>
#include <cmath>

#include "report/series_style.h"
#include "report/svg.h"
#include "report/ticks.h"

namespace prescript {
namespace {

constexpr double kMargin = 4;  // per cent of a strip beside its axis
constexpr double kLeastLabelledShare =
    0.09;  // of a bar: a narrower segment has no room for a number

constexpr const char* kOpenStrip = "<svg class=\"fill\" aria-hidden=\"true\">";

/// Places are percentages: strips have the width and height of their cells.
class StripAxis {
 public:
  StripAxis(double low, double high, NumberStyle style)
      : ticks_(round_ticks(low, high, 4, style)) {}

  std::string x(double value) const {
    const double place = (value - ticks_.low) / (ticks_.high - ticks_.low);
    return svg_number(kMargin + place * (100 - 2 * kMargin)) + "%";
  }

  std::string grid() const {
    std::string svg;
    for (const double value : ticks_.values) svg += vertical("grid", x(value), "0", "100%");
    return svg;
  }

  Html labels() const {
    std::string svg = "<svg class=\"scale\" aria-hidden=\"true\">";
    for (size_t i = 0; i < ticks_.values.size(); ++i)
      svg += svg_text(x(ticks_.values[i]), "12", TextAnchor::kMiddle, ticks_.labels[i]);
    return {svg + "</svg>"};
  }

  static std::string vertical(const std::string& name,
                              const std::string& x,
                              const std::string& top,
                              const std::string& bottom) {
    return "<line class=\"" + name + "\" x1=\"" + x + "\" x2=\"" + x + "\" y1=\"" + top +
           "\" y2=\"" + bottom + "\"/>";
  }

 private:
  Ticks ticks_;
};

bool is_drawn(const std::optional<Estimate>& estimate) {
  return estimate && std::isfinite(estimate->value) && std::isfinite(estimate->low) &&
         std::isfinite(estimate->high);
}

Html interval_strip(const IntervalRow& row, const StripAxis& axis) {
  std::string svg = kOpenStrip + axis.grid();
  if (row.reference) svg += StripAxis::vertical("reference", axis.x(*row.reference), "0", "100%");
  if (is_drawn(row.estimate)) {
    const std::string low = axis.x(row.estimate->low);
    const std::string high = axis.x(row.estimate->high);
    svg +=
        "<line class=\"interval\" x1=\"" + low + "\" x2=\"" + high + "\" y1=\"50%\" y2=\"50%\"/>";
    for (const std::string& end : {low, high})
      svg += "<svg x=\"" + end +
             "\" y=\"50%\" overflow=\"visible\"><path class=\"interval\" d=\"M0 -4V4\"/></svg>";
    svg +=
        "<circle class=\"value\" cx=\"" + axis.x(row.estimate->value) + "\" cy=\"50%\" r=\"4\"/>";
  }
  return {svg + "</svg>"};
}

Html share_strip(const ShareRow& row) {
  std::string svg = kOpenStrip;
  double begin = 0;
  for (size_t option = 0; option < row.shares.size(); ++option) {
    if (!is_drawn(row.shares[option])) continue;
    const double share = row.shares[option]->value;
    const OptionStyle style = option_style(option);
    svg += "<rect x=\"" + svg_number(100 * begin) + "%\" y=\"12%\" width=\"" +
           svg_number(100 * share) + "%\" height=\"76%\" fill=\"" + std::string(style.colour) +
           "\"/>";
    if (share >= kLeastLabelledShare)
      svg += "<g fill=\"" + std::string(style.text_colour) + "\">" +
             svg_text(svg_number(100 * (begin + share / 2)) + "%",
                      "50%",
                      TextAnchor::kMiddle,
                      std::to_string(std::lround(100 * share))) +
             "</g>";
    begin += share;
  }
  return {svg + "</svg>"};
}

std::vector<Column> label_columns(const std::vector<std::string>& names) {
  std::vector<Column> columns;
  for (const std::string& name : names) columns.push_back({.name = name});
  return columns;
}

std::vector<Cell> label_cells(const std::vector<std::string>& labels) {
  std::vector<Cell> cells;
  for (const std::string& label : labels) cells.push_back({.text = label});
  return cells;
}

StripAxis axis_over(const IntervalTable& intervals) {
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  const auto include = [&](double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  };
  for (const IntervalRow& row : intervals.rows) {
    if (row.reference) include(*row.reference);
    if (!is_drawn(row.estimate)) continue;
    for (const double value : {row.estimate->low, row.estimate->value, row.estimate->high})
      include(value);
  }
  return {low, high, intervals.style};
}

}  // namespace

Table interval_table(const IntervalTable& intervals) {
  const StripAxis axis = axis_over(intervals);
  Table table{.caption = intervals.caption, .columns = label_columns(intervals.label_columns)};
  table.columns.push_back({.name = intervals.value_column, .kind = ColumnKind::kNumber});
  table.columns.push_back({.name = "", .kind = ColumnKind::kGraphic, .graphic = axis.labels()});
  table.columns.insert(
      table.columns.end(), intervals.detail_columns.begin(), intervals.detail_columns.end());
  for (const IntervalRow& row : intervals.rows) {
    std::vector<Cell> cells = label_cells(row.labels);
    cells.push_back(estimate_cell(row.estimate, intervals.style));
    cells.push_back({.text = "", .graphic = interval_strip(row, axis)});
    cells.insert(cells.end(), row.details.begin(), row.details.end());
    table.rows.push_back(std::move(cells));
  }
  return table;
}

Table share_table(const ShareTable& shares) {
  Table table{.caption = shares.caption, .columns = label_columns(shares.label_columns)};
  table.columns.push_back({.name = "", .kind = ColumnKind::kGraphic});
  for (size_t option = 0; option < shares.options.size(); ++option)
    table.columns.push_back({.name = shares.options[option],
                             .kind = ColumnKind::kNumber,
                             .graphic = option_swatch(option)});
  for (const ShareRow& row : shares.rows) {
    std::vector<Cell> cells = label_cells(row.labels);
    cells.push_back({.text = "", .graphic = share_strip(row)});
    for (const auto& share : row.shares)
      cells.push_back(estimate_cell(share, NumberStyle::kPercent));
    table.rows.push_back(std::move(cells));
  }
  return table;
}

}  // namespace prescript
