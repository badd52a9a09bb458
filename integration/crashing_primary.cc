// The primary, for tests only: it runs as //server:primary does (with --role=replica as
// //server:replica), and kills itself as kill -9 would where the environment says.
//
//   CRASH_AT=segment.sealed:3   at the third passing of that crash point (base/crash_point.h)
//   CRASH_AT=disk.write_torn:7  in the middle of the seventh write to a segment
//   DISK_FAULTS=DIR             the switches of a FaultyDisk
//
// The count is 1 if it is left out.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/crash_point.h"
#include "base/settings/setting_spec.h"
#include "integration/harness/faulty_disk.h"
#include "server/run_node.h"
#include "wal/disk/posix_disk.h"

namespace tidemark::integration {
namespace {

constexpr std::string_view kTornWrite = "disk.write_torn";

std::string crash_at;  // Set before the first thread starts.
std::atomic<int64_t> passings_left{1};

void Die() {
  kill(getpid(), SIGKILL);
  for (;;) pause();  // Until it arrives: nothing more may happen here.
}

void OnCrashPoint(const char* name) {
  if (name == crash_at && passings_left.fetch_sub(1) == 1) Die();
}

std::string FromEnvironment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

int Main(int argc, char** argv) {
  crash_at = FromEnvironment("CRASH_AT");
  int64_t count = 1;
  if (const size_t colon = crash_at.find(':'); colon != std::string::npos) {
    count = std::atoll(crash_at.c_str() + colon + 1);
    crash_at.resize(colon);
  }
  passings_left = count;
  FaultyDisk disk(wal::PosixDisk::Get(), {.switches = FromEnvironment("DISK_FAULTS"),
                                          .torn_write = crash_at == kTornWrite ? count : 0,
                                          .on_torn_write = Die});
  SetCrashPointHook(OnCrashPoint);
  char** const end = std::remove_if(argv + 1, argv + argc, [](const char* argument) {
    return std::string_view(argument) == "--role=replica";
  });
  const NodeRole role = end == argv + argc ? NodeRole::kPrimary : NodeRole::kReplica;
  return server::RunNode(role, static_cast<int>(end - argv), argv, disk);
}

}  // namespace
}  // namespace tidemark::integration

int main(int argc, char** argv) { return tidemark::integration::Main(argc, argv); }
