#include "report/number_text.h"

#include <cmath>
#include <cstdio>

namespace prescript {
namespace {

constexpr const char* kNoNumber = "–";
constexpr const char* kMinus = "−";
constexpr const char* kNoBreakSpace = "\u00a0";
constexpr const char* kNarrowSpace = "\u202f";
constexpr double kLargestWritten = 1e15;  // beyond it, with an exponent

/// The digits of a number that is not negative, in groups of three.
std::string grouped(const std::string& digits) {
  const size_t whole = digits.find('.') == std::string::npos ? digits.size() : digits.find('.');
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && i < whole && whole > 4 && (whole - i) % 3 == 0) text += kNarrowSpace;
    text += digits[i];
  }
  return text;
}

std::string decimal(double value, int decimals, bool with_sign = false) {
  if (!std::isfinite(value)) return kNoNumber;
  char digits[64];
  const bool large = std::abs(value) >= kLargestWritten;
  std::snprintf(digits, sizeof digits, large ? "%.*e" : "%.*f", decimals, std::abs(value));
  const bool zero = std::string(digits).find_first_not_of("0.") == std::string::npos;
  std::string sign;
  if (value < 0 && !zero) sign = kMinus;
  if (value > 0 && !zero && with_sign) sign = "+";
  return sign + (large ? digits : grouped(digits));
}

int plain_decimals(double value) {
  const double size = std::abs(value);
  if (size < 10) return 3;
  return size < 1000 ? 1 : 0;
}

/// Without its unit.
std::string digits_text(double value, NumberStyle style) {
  switch (style) {
    case NumberStyle::kPercent:
      return decimal(100 * value, 1);
    case NumberStyle::kPoints:
      return decimal(100 * value, 1, true);
    case NumberStyle::kPlain:
      return decimal(value, plain_decimals(value));
  }
  return {};
}

}  // namespace

std::string number_text(double value, NumberStyle style) {
  const std::string digits = digits_text(value, style);
  if (style != NumberStyle::kPercent || digits == kNoNumber) return digits;
  return digits + kNoBreakSpace + "%";
}

std::string interval_text(const Estimate& estimate, NumberStyle style) {
  return "[" + digits_text(estimate.low, style) + "," + kNoBreakSpace +
         digits_text(estimate.high, style) + "]";
}

std::string p_value_text(double p) {
  if (p < 0.001) return std::string("<") + kNoBreakSpace + "0.001";
  return decimal(p, 3);
}

std::string count_text(int64_t count) {
  const std::string digits = std::to_string(count);
  return count < 0 ? kMinus + grouped(digits.substr(1)) : grouped(digits);
}

}  // namespace prescript
