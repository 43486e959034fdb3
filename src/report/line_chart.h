#pragma once
// A chart of lines over two axes: curves of losses, steps of deferral, calibration.

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "report/html.h"
#include "report/number_text.h"

namespace prescript {

struct ChartPoint {
  double x;
  double y;
  /// The band around the line; NaN: none here.
  double low = std::numeric_limits<double>::quiet_NaN();
  double high = std::numeric_limits<double>::quiet_NaN();
};

/// A line through its points; where a point is not finite, the line has a gap.
struct ChartSeries {
  std::string name;
  std::vector<ChartPoint> points = {};  // by rising x
};

struct ChartAxis {
  std::string label = {};
  NumberStyle style = NumberStyle::kPlain;
  /// The ends of the axis; absent: round numbers around what is drawn.
  std::optional<double> low = {};
  std::optional<double> high = {};
};

struct LineChart {
  std::string title = {};
  std::string description = {};  // what is to be seen, for everybody and for who cannot see it
  ChartAxis x = {};
  ChartAxis y = {};
  std::vector<ChartSeries> series = {};
  bool steps = false;  // a value holds up to the next point
  /// A thin line to compare with: of this height (chance), or y = x (perfect calibration).
  std::optional<double> level = {};
  bool diagonal = false;
  std::string reference_name = {};
};

/// A <figure> with the SVG, its caption and its legend. Readable at 460 px and on paper.
Html line_chart(const LineChart& chart);

}  // namespace prescript
