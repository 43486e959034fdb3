#include "text/jinja_date.h"

#include <charconv>
#include <chrono>
#include <cstdio>
#include <string_view>

#include "base/error.h"

namespace prescript::jinja {
namespace {

constexpr const char* kDays[] = {
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
constexpr const char* kMonths[] = {"January",
                                   "February",
                                   "March",
                                   "April",
                                   "May",
                                   "June",
                                   "July",
                                   "August",
                                   "September",
                                   "October",
                                   "November",
                                   "December"};

std::chrono::year_month_day parse_date(const std::string& date) {
  const auto part = [&](size_t begin, size_t length) {
    unsigned value = 0;
    const char* end = date.data() + begin + length;
    return std::from_chars(date.data() + begin, end, value).ptr == end ? value : 0;
  };
  if (date.size() != 10 || date[4] != '-' || date[7] != '-') return {};
  return std::chrono::year(static_cast<int>(part(0, 4))) / std::chrono::month(part(5, 2)) /
         std::chrono::day(part(8, 2));
}

std::string padded(unsigned number, int width) {
  std::string digits = std::to_string(number);
  return std::string(static_cast<size_t>(width) - std::min<size_t>(width, digits.size()), '0') +
         digits;
}

}  // namespace

bool is_date(const std::string& date) {
  return parse_date(date).ok();
}

std::string format_date(Run& run, const std::string& format, const std::string& date) {
  const auto day = parse_date(date);
  PRESCRIPT_CHECK(day.ok(), "the date " + date + " is not a day as YYYY-MM-DD");
  const auto year = static_cast<unsigned>(static_cast<int>(day.year()));
  const std::string weekday = kDays[std::chrono::weekday(day).c_encoding()];
  const std::string month = kMonths[static_cast<unsigned>(day.month()) - 1];
  std::string result;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      result += format[i];
      continue;
    }
    const bool unpadded = format.substr(i + 1, 1) == "-";
    i += unpadded ? 2 : 1;
    const auto number = [&](unsigned value, int width) {
      return unpadded ? std::to_string(value) : padded(value, width);
    };
    const char code = i < format.size() ? format[i] : ' ';
    if (unpadded && code != 'd' && code != 'm')
      run.fail("strftime_now: this code is not supported");
    switch (code) {
      case 'd':
        result += number(static_cast<unsigned>(day.day()), 2);
        break;
      case 'm':
        result += number(static_cast<unsigned>(day.month()), 2);
        break;
      case 'Y':
        result += std::to_string(year);
        break;
      case 'y':
        result += padded(year % 100, 2);
        break;
      case 'B':
        result += month;
        break;
      case 'b':
        result += month.substr(0, 3);
        break;
      case 'A':
        result += weekday;
        break;
      case 'a':
        result += weekday.substr(0, 3);
        break;
      case 'j': {
        const auto first = day.year() / std::chrono::January / 1;
        const auto days = std::chrono::sys_days(day) - std::chrono::sys_days(first);
        result += padded(static_cast<unsigned>(days.count()) + 1, 3);
        break;
      }
      case 'H':
      case 'M':
      case 'S':
        result += "00";
        break;
      case '%':
        result += '%';
        break;
      default:
        run.fail("strftime_now: this code is not supported");
    }
  }
  return result;
}

}  // namespace prescript::jinja
