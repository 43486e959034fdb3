#include "ops/ops.h"
#include "support/expect_error.h"

namespace prescript {
namespace {

TEST(NoCuda, IsRefusedWithTheWayOut) {
  expect_input_error(ExitCode::kUsage, "use device: cpu or auto", [] { make_cuda_ops(); });
}

}  // namespace
}  // namespace prescript
