// How many writes a second does the log make durable for clients that wait for each, and how many
// share a flush? Clients are imitated as a shard sees them: each writes once, waits until durable
// has reached its write, and writes again a round trip later.
//
//   log_bench DIRECTORY            # On the disk that is to be measured; refuses tmpfs.
//
// Prints writes/s, writes a flush, flushes/s and the flush's median for several numbers of clients,
// with and without the commit window, on this disk and on ones whose flush takes longer; then what
// one shard can push through with fsync=interval and never, in MB/s and records/s.

#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <mutex>
#include <queue>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/crash_point.h"
#include "wal/disk/posix_disk.h"
#include "wal/log.h"
#include "wal/test_stream.h"

namespace tidemark::wal {
namespace {

using Clock = std::chrono::steady_clock;

// The crash point within a sync makes a slow disk of a quick one.
std::atomic<int> more_sync_micros{0};

void SlowDown(const char* crash_point) {
  if (std::string_view(crash_point) != "log.synced" || more_sync_micros == 0) return;
  std::this_thread::sleep_for(std::chrono::microseconds(more_sync_micros.load()));
}

constexpr auto kRoundTrip = std::chrono::microseconds(60);
constexpr auto kMeasured = std::chrono::seconds(2);

struct Bench {
  explicit Bench(const std::string& path) : path(path) {
    disk.RemoveTree(path).IgnoreError();
    directory = *DataDirectory::Open(disk, path, DirectoryId(5));
  }
  ~Bench() {
    log.reset();
    directory.reset();
    disk.RemoveTree(path).IgnoreError();
  }

  void Open(FsyncPolicy fsync, const CommitWindow::Options& commit_window = {}) {
    Log::Options options;
    options.fsync = fsync;
    options.commit_window = commit_window;
    options.wake_shard = [this](ShardId) {
      std::lock_guard lock(mutex);
      woken = true;
      wake.notify_one();
    };
    log = *Log::Open(*directory,
                     {.history = HistoryId(1), .positions = Positions(1), .next_segment = 1},
                     options);
  }

  const std::string path;
  PosixDisk& disk = PosixDisk::Get();
  std::unique_ptr<DataDirectory> directory;
  std::mutex mutex;
  std::condition_variable wake;
  bool woken = false;
  std::unique_ptr<Log> log;
};

int64_t MedianSyncMicros(const Log& log) {
  LatencySnapshot syncs;
  log.counters().sync_nanos.AddTo(syncs);
  return syncs.PercentileNanos(50) / 1000;
}

// One thread is the shard and its clients: those whose time has come write, in one frame a turn.
void MeasureClients(const std::string& path, int clients, const CommitWindow::Options& window) {
  Bench bench(path);
  bench.Open(FsyncPolicy::kAlways, window);
  ShardLog& door = bench.log->shard(ShardId(0));
  TestStream stream(HistoryId(1), ShardId(0), 1);
  const std::string value(100, 'v');
  std::queue<Clock::time_point> coming;          // When a client's next write arrives.
  std::queue<std::pair<Sequence, int>> waiting;  // Clients whose write ends there.
  const Clock::time_point begin = Clock::now();
  for (int i = 0; i < clients; ++i) coming.push(begin);
  uint64_t answered = 0;
  while (Clock::now() < begin + kMeasured) {
    const Clock::time_point now = Clock::now();
    int arrived = 0;
    for (; !coming.empty() && coming.front() <= now; ++arrived) coming.pop();
    if (arrived > 0) {
      door.Append(stream.Make(static_cast<size_t>(arrived), value));
      waiting.emplace(stream.position().sequence, arrived);
      door.OnTurnEnd();
    }
    door.NotifyWhenDurable();
    const Sequence durable = bench.log->durable(ShardId(0));
    bool moved = false;
    for (; !waiting.empty() && waiting.front().first <= durable; waiting.pop(), moved = true) {
      // They do not come back in one instant: a microsecond apart.
      for (int i = 0; i < waiting.front().second; ++i) {
        coming.push(Clock::now() + kRoundTrip + std::chrono::microseconds(i));
      }
      answered += static_cast<uint64_t>(waiting.front().second);
    }
    if (moved || arrived > 0) continue;
    std::unique_lock lock(bench.mutex);
    const auto until = coming.empty() ? now + std::chrono::milliseconds(100) : coming.front();
    bench.wake.wait_until(lock, until, [&] { return bench.woken; });
    bench.woken = false;
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  const double syncs = static_cast<double>(bench.log->counters().syncs.value());
  fmt::print(
      "always, wait {:2} and {:2} %, {:3} clients: {:8.0f} writes/s, {:5.1f} a flush, {:4.0f} "
      "flushes/s, "
      "median {} us\n",
      window.percent_for_all, window.percent_for_half, clients,
      static_cast<double>(answered) / seconds, static_cast<double>(answered) / syncs,
      syncs / seconds, MedianSyncMicros(*bench.log));
}

void MeasureFlood(const std::string& path, FsyncPolicy fsync, const char* name) {
  Bench bench(path);
  bench.Open(fsync);
  ShardLog& door = bench.log->shard(ShardId(0));
  TestStream stream(HistoryId(1), ShardId(0), 1);
  const std::string value(100, 'v');
  const Clock::time_point begin = Clock::now();
  uint64_t records = 0;
  while (Clock::now() < begin + std::chrono::seconds(2)) {
    if (door.utilisation_percent() >= 85) {
      std::this_thread::sleep_for(std::chrono::microseconds(200));
      door.OnTurnEnd();
      continue;
    }
    door.Append(stream.Make(64, value));
    door.OnTurnEnd();
    records += 64;
  }
  CHECK(bench.log->Stop().ok());
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  const LogCounters& counters = bench.log->counters();
  fmt::print("{}: {:.0f} records/s, {:.0f} MB/s, {:.0f} KiB a write, {} syncs, median {} us\n",
             name, static_cast<double>(records) / seconds,
             static_cast<double>(counters.bytes.value()) / seconds / 1e6,
             static_cast<double>(counters.bytes.value()) /
                 static_cast<double>(counters.writes.value()) / 1024,
             counters.syncs.value(), MedianSyncMicros(*bench.log));
}

int Main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: log_bench DIRECTORY\n");
    return 2;
  }
  const std::string parent = argv[1];
  SetCrashPointHook(&SlowDown);
  struct statfs system;
  if (statfs(parent.c_str(), &system) != 0 || system.f_type == TMPFS_MAGIC) {
    fmt::print(stderr, "{}: not a directory on a disk\n", parent);
    return 2;
  }
  for (const int more_micros : {0, 1000, 4000}) {
    fmt::print("A flush takes {} us longer than this disk's:\n", more_micros);
    more_sync_micros = more_micros;
    for (const int clients : {1, 2, 10, 50, 200}) {
      MeasureClients(parent + "/log_bench", clients, {.percent_for_all = 0, .percent_for_half = 0});
      MeasureClients(parent + "/log_bench", clients, CommitWindow::Options());
    }
  }
  more_sync_micros = 0;
  MeasureFlood(parent + "/log_bench", FsyncPolicy::kInterval, "interval");
  MeasureFlood(parent + "/log_bench", FsyncPolicy::kNever, "never");
  return 0;
}

}  // namespace
}  // namespace tidemark::wal

int main(int argc, char** argv) { return tidemark::wal::Main(argc, argv); }
