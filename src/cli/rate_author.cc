// prescript rate author: exemplars to be written and reviewed.

#include <memory>

#include <CLI/CLI.hpp>

#include "base/counted.h"
#include "cli/rate.h"
#include "cli/terminal.h"
#include "rating/authoring_store.h"

namespace prescript {
namespace {

struct Arguments {
  std::string store;
  std::string exemplars;
};

int make_store(const Arguments& arguments) {
  create_authoring_store(arguments.store, arguments.exemplars);
  write_message(arguments.store + ": " +
                counted(AuthoringStore(arguments.store).exemplars().size(), "exemplar"));
  return 0;
}

}  // namespace

void add_rate_author(CLI::App& rate, Action& action) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      rate.add_subcommand("author", "Make a store of exemplars that clinicians write and review");
  command->footer(
      "FILE is JSONL of exemplars, with or without answers. prescript rate serve STORE gives the "
      "page:\n"
      "one clinician writes or edits an answer, another accepts or rejects it. prescript rate "
      "export\n"
      "STORE writes them back with the field review; train leaves out what was not accepted.");
  command->add_option("store", arguments->store, "directory to make; must not exist")
      ->required()
      ->type_name("STORE");
  command->add_option("--exemplars", arguments->exemplars, "questions, with or without answers")
      ->required()
      ->type_name("FILE");
  command->callback(
      [arguments, &action] { action = [arguments] { return make_store(*arguments); }; });
}

}  // namespace prescript
