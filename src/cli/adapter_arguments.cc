#include "cli/adapter_arguments.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"

namespace prescript {
namespace {

std::string default_name(const std::string& dir) {
  auto path = std::filesystem::absolute(dir).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();  // of "folder/"
  if (path.filename() == "adapter") path = path.parent_path();
  return path.filename();
}

AdapterArgument read_one(const std::string& value) {
  const size_t equals = value.find('=');
  const bool named = equals != std::string::npos && value.find('/') > equals;
  AdapterArgument argument{named ? value.substr(0, equals) : "",
                           named ? value.substr(equals + 1) : value};
  if (argument.dir.empty() || (named && argument.name.empty())) {
    throw InputError(ExitCode::kUsage, "--adapter: '" + value + "' is not [NAME=]DIR");
  }
  if (!named) argument.name = default_name(argument.dir);
  return argument;
}

}  // namespace

std::vector<AdapterArgument> read_adapter_arguments(const std::vector<std::string>& values) {
  std::vector<AdapterArgument> arguments;
  for (const std::string& value : values) {
    AdapterArgument argument = read_one(value);
    const auto twin = std::find_if(arguments.begin(), arguments.end(), [&](const auto& other) {
      return other.name == argument.name;
    });
    if (twin != arguments.end()) {
      throw InputError(ExitCode::kUsage,
                       "--adapter: both " + twin->dir + " and " + argument.dir + " are named '" +
                           argument.name + "'; name them apart: --adapter NAME=DIR");
    }
    arguments.push_back(std::move(argument));
  }
  return arguments;
}

}  // namespace prescript
