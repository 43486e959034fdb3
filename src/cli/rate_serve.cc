// prescript rate serve: the page of a study, on this computer.

#include <memory>

#include <CLI/CLI.hpp>

#include "base/file_error.h"
#include "cli/number_option.h"
#include "cli/rate.h"
#include "cli/terminal.h"
#include "http/server.h"
#include "rating/authoring_desk.h"
#include "rating/rating_desk.h"
#include "rating/store.h"

namespace prescript {
namespace {

constexpr int64_t kDefaultPort = 8460;

struct Arguments {
  std::string study;
  int64_t port = kDefaultPort;
};

/// Answers until a signal ends it.
void serve_desk(Desk& desk,
                const std::string& name,
                const std::string& access_key,
                const Arguments& arguments) {
  const Site site(desk, name, access_key, [](const std::string& why) { write_message(why); });
  HttpServer server(
      static_cast<uint16_t>(arguments.port),
      [&site](const HttpRequest& request) { return site.respond(request); },
      [](const std::string& why) { write_message(why); });
  write_result("http://127.0.0.1:" + std::to_string(server.port()) + site.entry());
  write_message(
      "Open this address in a browser on this computer. Ctrl-C ends the page; what was "
      "submitted is kept.");
  server.run();
}

int serve(const Arguments& arguments) {
  if (is_there(arguments.study + "/" + kAuthoringFile, ExitCode::kData)) {
    AuthoringStore store(arguments.study);
    AuthoringDesk desk(store);
    serve_desk(desk, store.name(), store.access_key(), arguments);
    return 0;
  }
  Study study(arguments.study);
  RatingDesk desk(study);
  serve_desk(desk, study.name(), study.access_key(), arguments);
  return 0;
}

}  // namespace

void add_rate_serve(CLI::App& rate, Action& action) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      rate.add_subcommand("serve", "Give people the page of a study, or of a store of exemplars");
  command->footer(
      "The page is reachable from this computer only, and by its key only. Several raters may use "
      "it\n"
      "at once, each with a code of their own. A rating is on the disk before the page goes on.");
  command->add_option("study", arguments->study, "directory that rate init or rate author made")
      ->required()
      ->type_name("STUDY");
  add_number_option(*command,
                    "--port",
                    arguments->port,
                    whole_number(0, 65535),
                    "of 127.0.0.1; 0 takes a free one; default 8460")
      ->type_name("N");
  command->callback([arguments, &action] { action = [arguments] { return serve(*arguments); }; });
}

}  // namespace prescript
