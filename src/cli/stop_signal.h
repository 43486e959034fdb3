#pragma once
// SIGTERM, SIGINT and SIGHUP: the wish that a run ends soon and can be resumed.

namespace prescript {

/// From now on they end the process at once with exit code 75 and a message, since
/// there is nothing to keep yet.
void catch_stop_signals();

/// From now on they are only remembered: the work in flight asks `stop_requested`.
void remember_stop_signals();

bool stop_requested();

}  // namespace prescript
