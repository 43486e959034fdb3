#include "report/line_chart.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "report/series_style.h"
#include "report/svg.h"
#include "report/ticks.h"

namespace prescript {
namespace {

// In units of the view box, which are pixels at the chart's full width.
constexpr double kWidth = 560;
constexpr double kHeight = 340;
constexpr double kTop = 36;          // the y axis's label
constexpr double kBottom = 46;       // the x axis's numbers and label
constexpr double kRight = 24;        // half of the last number
constexpr double kCharacter = 8.3;   // width of a digit
constexpr size_t kMostMarkers = 14;  // of one series: more hide the line
// A series of more points is noise, or as good as smooth: thin, and without markers.
constexpr size_t kManyPoints = 60;

struct Point {
  double x, y;
};

/// Width in characters.
size_t length_of(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

class Frame {
 public:
  explicit Frame(const LineChart& chart);

  double x(double value) const { return left_ + place(value, x_) * (kWidth - kRight - left_); }
  double y(double value) const {
    return kHeight - kBottom - place(value, y_) * (kHeight - kBottom - kTop);
  }
  double low_x() const { return x_.low; }
  double high_x() const { return x_.high; }
  bool contains(double x, double y) const {
    return x >= x_.low && x <= x_.high && y >= y_.low && y <= y_.high;
  }
  /// What lies outside of the plot is cut off.
  std::string clipped(const std::string& content) const;
  std::string axes(const LineChart& chart) const;

 private:
  static double place(double value, const Ticks& ticks) {
    // Far beyond an end is as good as a little beyond it, and stays a number that browsers draw.
    return std::clamp((value - ticks.low) / (ticks.high - ticks.low), -10.0, 10.0);
  }

  Ticks x_;
  Ticks y_;
  double left_;
};

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void include(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

Ticks ticks_of(Range range, const ChartAxis& axis, int count) {
  if (!(range.low <= range.high)) range = {.low = 0, .high = 1};
  Ticks ticks =
      round_ticks(axis.low.value_or(range.low), axis.high.value_or(range.high), count, axis.style);
  if (axis.low && *axis.low < ticks.values.back()) ticks.low = *axis.low;
  if (axis.high && *axis.high > ticks.values.front()) ticks.high = *axis.high;
  return ticks;
}

Frame::Frame(const LineChart& chart) {
  Range x;
  Range y;
  if (chart.level) y.include(*chart.level);
  for (const ChartSeries& series : chart.series) {
    for (const ChartPoint& point : series.points) {
      x.include(point.x);
      for (const double value : {point.y, point.low, point.high}) y.include(value);
    }
  }
  x_ = ticks_of(x, chart.x, 6);
  y_ = ticks_of(y, chart.y, 5);
  size_t longest = 1;
  for (const std::string& label : y_.labels) longest = std::max(longest, length_of(label));
  left_ = 14 + kCharacter * static_cast<double>(longest);
}

std::string Frame::clipped(const std::string& content) const {
  const std::string x = svg_number(left_);
  const std::string y = svg_number(kTop);
  const std::string width = svg_number(kWidth - kRight - left_);
  const std::string height = svg_number(kHeight - kBottom - kTop);
  return "<svg x=\"" + x + "\" y=\"" + y + "\" width=\"" + width + "\" height=\"" + height +
         "\" viewBox=\"" + x + " " + y + " " + width + " " + height + "\">" + content + "</svg>";
}

std::string Frame::axes(const LineChart& chart) const {
  std::string lines;
  std::string numbers;
  const std::string right = svg_number(kWidth - kRight);
  for (size_t i = 0; i < y_.values.size(); ++i) {
    if (y_.values[i] < y_.low || y_.values[i] > y_.high) continue;
    const double place = y(y_.values[i]);
    lines += "<path d=\"M" + svg_number(left_) + " " + svg_number(place) + "H" + right + "\"/>";
    numbers +=
        svg_text(svg_number(left_ - 8), svg_number(place + 4.5), TextAnchor::kEnd, y_.labels[i]);
  }
  const double bottom = kHeight - kBottom;
  for (size_t i = 0; i < x_.values.size(); ++i) {
    if (x_.values[i] < x_.low || x_.values[i] > x_.high) continue;
    const double place = x(x_.values[i]);
    lines += "<path d=\"M" + svg_number(place) + " " + svg_number(bottom) + "v5\"/>";
    numbers +=
        svg_text(svg_number(place), svg_number(bottom + 19), TextAnchor::kMiddle, x_.labels[i]);
  }
  numbers += svg_text("0", "16", TextAnchor::kStart, chart.y.label);
  numbers += svg_text(svg_number((left_ + kWidth - kRight) / 2),
                      svg_number(kHeight - 6),
                      TextAnchor::kMiddle,
                      chart.x.label);
  return "<g class=\"grid\">" + lines + "</g><path class=\"axis\" d=\"M" + svg_number(left_) + " " +
         svg_number(bottom) + "H" + right + "\"/>" + numbers;
}

/// The points of a line, with a corner behind every value that holds up to the next.
std::vector<Point> corners(std::span<const Point> points, bool steps) {
  std::vector<Point> line;
  for (size_t i = 0; i < points.size(); ++i) {
    if (steps && i > 0) line.push_back({points[i].x, points[i - 1].y});
    line.push_back(points[i]);
  }
  return line;
}

/// Data of a path from point to point.
std::string path_data(const Frame& frame, std::span<const Point> line) {
  std::string data;
  for (const Point& point : line)
    data += (data.empty() ? "M" : "L") + svg_number(frame.x(point.x)) + " " +
            svg_number(frame.y(point.y));
  return data;
}

/// Maximal runs of points for which `whole` holds.
template <typename Predicate>
std::vector<std::span<const ChartPoint>> runs(const ChartSeries& series, Predicate whole) {
  std::vector<std::span<const ChartPoint>> found;
  const std::span<const ChartPoint> points = series.points;
  for (size_t begin = 0; begin < points.size();) {
    size_t end = begin;
    while (end < points.size() && whole(points[end])) ++end;
    if (end > begin) found.push_back(points.subspan(begin, end - begin));
    begin = end + 1;
  }
  return found;
}

bool is_dense(const ChartSeries& series) {
  return series.points.size() > kManyPoints;
}

bool on_line(const ChartPoint& point) {
  return std::isfinite(point.x) && std::isfinite(point.y);
}

bool in_band(const ChartPoint& point) {
  return on_line(point) && std::isfinite(point.low) && std::isfinite(point.high);
}

/// The band of a series, with its edges in the line's dashes, which tell bands apart where they
/// overlap; of a single point, a bar.
std::string band_svg(const Frame& frame,
                     const ChartSeries& series,
                     bool steps,
                     const SeriesStyle& style) {
  std::string svg;
  for (const auto& run : runs(series, in_band)) {
    std::vector<Point> low;
    std::vector<Point> high;
    for (const ChartPoint& point : run) {
      low.push_back({point.x, point.low});
      high.push_back({point.x, point.high});
    }
    if (run.size() == 1) {
      svg += "<path d=\"" + path_data(frame, std::vector<Point>{low[0], high[0]}) + "\" stroke=\"" +
             std::string(style.colour) + "\" stroke-width=\"1.5\"/>";
      continue;
    }
    std::vector<Point> outline = corners(high, steps);
    const std::vector<Point> back = corners(low, steps);
    outline.insert(outline.end(), back.rbegin(), back.rend());
    svg += "<path d=\"" + path_data(frame, outline) + "Z\" fill=\"" + std::string(style.colour) +
           "\" fill-opacity=\"0.1\" stroke=\"" + std::string(style.colour) +
           "\" stroke-opacity=\"0.55\" stroke-width=\"0.9\" stroke-dasharray=\"" +
           std::string(style.dash) + "\"/>";
  }
  return svg;
}

std::string line_svg(const Frame& frame,
                     const ChartSeries& series,
                     bool steps,
                     const SeriesStyle& style) {
  std::string svg;
  for (const auto& run : runs(series, on_line)) {
    std::vector<Point> points;
    for (const ChartPoint& point : run) points.push_back({point.x, point.y});
    svg += "<path d=\"" + path_data(frame, corners(points, steps)) + "\" fill=\"none\" stroke=\"" +
           std::string(style.colour) + "\" stroke-width=\"" + (is_dense(series) ? "1.2" : "2") +
           "\" stroke-linejoin=\"round\" stroke-dasharray=\"" + std::string(style.dash) + "\"/>";
  }
  return svg;
}

/// Markers at points that lie apart; those of different series do not begin at the same point.
std::string markers_svg(const Frame& frame,
                        const ChartSeries& series,
                        size_t index,
                        const SeriesStyle& style) {
  std::string svg;
  if (is_dense(series)) return svg;
  const size_t stride = series.points.size() / (kMostMarkers + 1) + 1;
  for (size_t i = index % stride; i < series.points.size(); i += stride) {
    const ChartPoint& point = series.points[i];
    if (on_line(point) && frame.contains(point.x, point.y))
      svg += marker_svg(style, frame.x(point.x), frame.y(point.y));
  }
  return svg;
}

std::string reference_svg(const Frame& frame, const LineChart& chart) {
  std::vector<Point> ends;
  if (chart.level) ends = {{frame.low_x(), *chart.level}, {frame.high_x(), *chart.level}};
  if (chart.diagonal) ends = {{frame.low_x(), frame.low_x()}, {frame.high_x(), frame.high_x()}};
  if (ends.empty()) return "";
  return "<path class=\"reference\" d=\"" + path_data(frame, ends) + "\"/>";
}

std::string legend(const LineChart& chart) {
  std::string items;
  for (size_t i = 0; i < chart.series.size(); ++i)
    items += "<li>" + series_swatch(series_style(i), !is_dense(chart.series[i])).source +
             inline_text(chart.series[i].name).source + "</li>";
  if (chart.level || chart.diagonal)
    items +=
        "<li><svg class=\"swatch\" width=\"44\" height=\"12\" aria-hidden=\"true\"><path "
        "class=\"reference\" "
        "d=\"M0 6H44\"/></svg>" +
        inline_text(chart.reference_name).source + "</li>";
  return items.empty() ? "" : "<ul class=\"legend\">" + items + "</ul>";
}

}  // namespace

Html line_chart(const LineChart& chart) {
  const Frame frame(chart);
  std::string bands;
  std::string lines;
  std::string markers;
  bool any = false;
  for (size_t i = 0; i < chart.series.size(); ++i) {
    const ChartSeries& series = chart.series[i];
    const SeriesStyle style = series_style(i);
    any = any || std::any_of(series.points.begin(), series.points.end(), on_line);
    bands += band_svg(frame, series, chart.steps, style);
    lines += line_svg(frame, series, chart.steps, style);
    markers += markers_svg(frame, series, i, style);
  }
  std::string svg = "<svg class=\"chart\" viewBox=\"0 0 " + svg_number(kWidth) + " " +
                    svg_number(kHeight) + "\" role=\"img\"><title>" + escape_html(chart.title) +
                    "</title><desc>" + escape_html(chart.description) + "</desc>" +
                    frame.axes(chart) + frame.clipped(reference_svg(frame, chart) + bands + lines) +
                    markers;
  if (!any)
    svg +=
        svg_text(svg_number(kWidth / 2), svg_number(kHeight / 2), TextAnchor::kMiddle, "no data");
  svg += "</svg>";
  return {"<figure><figcaption><b>" + inline_text(chart.title).source + "</b> " +
          escape_html(chart.description) + "</figcaption>" + svg + legend(chart) + "</figure>\n"};
}

}  // namespace prescript
