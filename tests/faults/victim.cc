// The victim of the fault shim's own tests: writes a file the durable way, call by call, with
// nothing of the project in between. Prints each call that fails, with its error, and goes on.
//   victim FOLDER posix     open, write "0123456789" twice, fsync, close, rename, fsync of the
//   folder victim FOLDER stream    the same bytes through std::ofstream, std::filesystem::rename
//   victim FOLDER threads   four threads write ten files each

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace {

const char kBytes[] = "0123456789";

void report(const char* call, long result) {
  if (result < 0) std::cout << call << ": " << std::strerror(errno) << std::endl;
}

void write_posix(const std::string& folder) {
  const int file = ::open((folder + "/new").c_str(), O_CREAT | O_WRONLY, 0600);
  report("open", file);
  report("write", ::write(file, kBytes, 10));
  report("write", ::write(file, kBytes, 10));
  report("truncate", ::ftruncate(file, 15));
  report("fsync", ::fsync(file));
  report("close", ::close(file));
  report("rename", ::rename((folder + "/new").c_str(), (folder + "/final").c_str()));
  const int directory = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY);
  report("fsync", ::fsync(directory));
  report("close", ::close(directory));
  report("unlink", ::unlink((folder + "/final").c_str()));
}

void write_stream(const std::string& folder) {
  std::ofstream file(folder + "/new");
  file << kBytes << kBytes << std::flush;
  if (!file) std::cout << "stream failed" << std::endl;
  file.close();
  std::error_code error;
  std::filesystem::rename(folder + "/new", folder + "/final", error);
  if (error) std::cout << "rename: " << error.message() << std::endl;
}

void write_threads(const std::string& folder) {
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread)
    threads.emplace_back([&folder, thread] {
      for (int index = 0; index < 10; ++index) {
        const std::string path = folder + "/" + std::to_string(thread * 10 + index);
        const int file = ::open(path.c_str(), O_CREAT | O_WRONLY, 0600);
        if (::write(file, kBytes, 10) != 10) std::fputs("write failed\n", stdout);
        ::close(file);
      }
    });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

int main(int, char** arguments) {
  const std::string folder = arguments[1];
  const std::string way = arguments[2];
  if (way == "posix") write_posix(folder);
  if (way == "stream") write_stream(folder);
  if (way == "threads") write_threads(folder);
  std::cout << "end" << std::endl;
  return 0;
}
