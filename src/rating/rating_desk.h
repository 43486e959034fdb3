#pragma once
// The pages of a study: one task at a time, in the rater's own order.

#include "rating/site.h"
#include "rating/study.h"

namespace prescript {

/// Tasks are addressed by their place in the rater's order: /rater/R7/5 is the fifth one that R7
/// sees, wherever its answer comes from. A rating is on the disk before the response to it begins.
class RatingDesk : public Desk {
 public:
  /// `study` outlives it.
  explicit RatingDesk(Study& study) : study_(study) {}

  std::string title() const override;
  std::string invitation() const override;
  HttpResponse respond(const std::string& rater,
                       std::span<const std::string> path,
                       const std::string& method,
                       const std::map<std::string, std::string>& form) override;

 private:
  struct Place;

  HttpResponse overview(const std::string& rater);
  HttpResponse next(const std::string& rater);
  HttpResponse task_page(const Place& place);
  HttpResponse submit(const Place& place, const std::map<std::string, std::string>& form);

  Study& study_;
};

}  // namespace prescript
