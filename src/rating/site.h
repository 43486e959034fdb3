#pragma once
// The way in to a page: the address that only its owner was told, and the rater's code.

#include <functional>
#include <map>
#include <span>
#include <string>

#include "http/message.h"

namespace prescript {

/// What a rater finds behind the code: a study or a store of exemplars.
class Desk {
 public:
  virtual ~Desk() = default;
  /// Of the page: "Rating".
  virtual std::string title() const = 0;
  /// What the code's page says about the work, as text.
  virtual std::string invitation() const = 0;
  /// Answers GET and POST of /rater/CODE and below; `path` is what follows the code, `form` the
  /// fields of a POST, all of them UTF-8.
  virtual HttpResponse respond(const std::string& rater,
                               std::span<const std::string> path,
                               const std::string& method,
                               const std::map<std::string, std::string>& form) = 0;
};

/// The pages of a desk. Who opens "/?key=KEY" gets a cookie for this browser; without it nothing is
/// shown, since others may use this computer too.
class Site {
 public:
  /// `name` makes the cookie this desk's own. `report` is told why something was not kept.
  Site(Desk& desk,
       std::string name,
       std::string access_key,
       std::function<void(const std::string&)> report);

  HttpResponse respond(const HttpRequest& request) const;

  /// "/?key=..."
  std::string entry() const;

 private:
  HttpResponse enter(const HttpRequest& request) const;
  HttpResponse start(const std::string& query) const;
  HttpResponse desk_page(const HttpRequest& request, std::span<const std::string> path) const;

  Desk& desk_;
  std::string cookie_;
  std::string access_key_;
  std::function<void(const std::string&)> report_;
};

}  // namespace prescript
