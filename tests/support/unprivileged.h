#pragma once
// The rights of an ordinary user, for tests that may run as root.

#include <gtest/gtest.h>
#include <unistd.h>

namespace prescript {

/// Whoever the test runs as, without the right to write where others may not.
class Unprivileged {
 public:
  Unprivileged() { EXPECT_EQ(was_root_ ? ::seteuid(kNobody) : 0, 0); }
  ~Unprivileged() { EXPECT_EQ(was_root_ ? ::seteuid(0) : 0, 0); }
  Unprivileged(const Unprivileged&) = delete;
  Unprivileged& operator=(const Unprivileged&) = delete;

 private:
  static constexpr uid_t kNobody = 65534;
  bool was_root_ = ::geteuid() == 0;
};

}  // namespace prescript
