// tidectl shows how a cluster's nodes stand to each other, proves that they hold the same, and
// looks into data directories: checks, mends, restores, backs up.
//
// Exit status: 0; 1 if nodes differ, are not even in time, or cannot be reached (with --once), if a
// directory is damaged, or something could not be done; 64 for bad arguments.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tools/tidectl/arguments.h"
#include "tools/tidectl/node_link.h"
#include "tools/tidectl/offline_arguments.h"
#include "tools/tidectl/offline_commands.h"
#include "tools/tidectl/status_table.h"
#include "tools/tidectl/tier_table.h"
#include "tools/tidectl/top_table.h"
#include "tools/tidectl/verdict.h"
#include "wal/disk/posix_disk.h"

namespace tidemark::tidectl {
namespace {

constexpr int kExitUsage = 64;
constexpr std::chrono::milliseconds kVerifyPause(50);

using Links = std::vector<NodeLink>;

void Sleep(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

// Prints what `draw(failed)` gives, again and again unless once.
template <typename Draw>
int Show(const Arguments& arguments, Draw draw) {
  while (true) {
    bool failed = false;
    const std::string table = draw(failed);
    // Clears the screen, as a table that refreshes itself must.
    std::fputs(arguments.once ? "" : "\x1b[H\x1b[2J", stdout);
    std::fputs(table.c_str(), stdout);
    std::fflush(stdout);
    if (arguments.once) return failed ? 1 : 0;
    Sleep(arguments.interval_s);
  }
}

int Status(const Arguments& arguments, Links& links) {
  return Show(arguments, [&](bool& failed) {
    std::vector<NodeStatus> nodes;
    for (NodeLink& link : links) {
      nodes.push_back({.name = link.name(), .watermarks = link.Watermarks()});
      failed |= !nodes.back().watermarks.ok();
      if (nodes.back().watermarks.ok()) nodes.back().info = link.Info().value_or("");
    }
    return StatusTable(nodes);
  });
}

int Top(const Arguments& arguments, Links& links) {
  using Time = std::chrono::steady_clock;
  std::vector<NodeLoad> nodes;
  for (const NodeLink& link : links) {
    nodes.push_back({.name = link.name(), .info = absl::UnknownError("not asked yet")});
  }
  Time::time_point looked = Time::now();
  return Show(arguments, [&](bool& failed) {
    const std::chrono::duration<double> between = Time::now() - std::exchange(looked, Time::now());
    for (size_t i = 0; i < links.size(); ++i) {
      nodes[i].info_before = nodes[i].info.value_or("");
      nodes[i].seconds_between = between.count();
      nodes[i].info = links[i].Info();
      failed |= !nodes[i].info.ok();
    }
    return TopTable(nodes) + TierTable(nodes);
  });
}

// Whether all stand at the same watermarks now: cheap to ask, where a digest walks every key.
bool LooksEven(Links& links) {
  const absl::StatusOr<NodeWatermarks> first = links.front().Watermarks();
  if (!first.ok()) return false;
  for (size_t i = 1; i < links.size(); ++i) {
    const absl::StatusOr<NodeWatermarks> other = links[i].Watermarks();
    if (!other.ok() || other->history != first->history || other->position() != first->position()) {
      return false;
    }
  }
  return true;
}

int Verify(const Arguments& arguments, Links& links) {
  using Time = std::chrono::steady_clock;
  const auto deadline = Time::now() + std::chrono::duration_cast<Time::duration>(
                                          std::chrono::duration<double>(arguments.deadline_s));
  while (true) {
    const bool last = Time::now() >= deadline;
    if (last || LooksEven(links)) {
      std::vector<DigestOf> digests;
      for (NodeLink& link : links) {
        digests.push_back({.name = link.name(), .digest = link.Digest()});
      }
      const Verdict verdict = Judge(digests);
      if (verdict.outcome == Outcome::kEqual || verdict.outcome == Outcome::kDiffer || last) {
        std::fputs(verdict.text.c_str(), stdout);
        if (verdict.outcome == Outcome::kUneven) {
          std::fputs(fmt::format("not even after {} s\n", arguments.deadline_s).c_str(), stdout);
        }
        return verdict.outcome == Outcome::kEqual ? 0 : 1;
      }
    }
    std::this_thread::sleep_for(kVerifyPause);
  }
}

// On a data directory, not on nodes.
int RunOffline(std::span<const char* const> words) {
  absl::StatusOr<OfflineArguments> arguments = ParseOfflineArguments(words);
  if (!arguments.ok()) {
    std::fprintf(stderr, "tidectl: %s\n", std::string(arguments.status().message()).c_str());
    return kExitUsage;
  }
  const char* auth = std::getenv("REDISCLI_AUTH");
  if (arguments->password.empty() && auth != nullptr) arguments->password = auth;
  return RunOffline(wal::PosixDisk::Get(), *arguments);
}

int Run(std::span<const char* const> words) {
  const bool help = std::any_of(words.begin(), words.end(), [](std::string_view word) {
    return word == "--help" || word == "-h";
  });
  if (!help && IsOffline(words)) return RunOffline(words);
  absl::StatusOr<Arguments> arguments = ParseArguments(words);
  if (!arguments.ok()) {
    std::fprintf(stderr, "tidectl: %s\n", std::string(arguments.status().message()).c_str());
    return kExitUsage;
  }
  // redis-cli's variable, so that both tools need it only once.
  const char* auth = std::getenv("REDISCLI_AUTH");
  if (arguments->password.empty() && auth != nullptr) arguments->password = auth;
  Links links;
  for (const Address& node : arguments->nodes) links.emplace_back(node, arguments->password);

  switch (arguments->command) {
    case Command::kHelp:
      std::fputs(std::string(UsageText()).c_str(), stdout);
      std::fputs(std::string(OfflineUsageText()).c_str(), stdout);
      return 0;
    case Command::kStatus:
      return Status(*arguments, links);
    case Command::kVerify:
      return Verify(*arguments, links);
    case Command::kTop:
      return Top(*arguments, links);
  }
  return kExitUsage;
}

}  // namespace
}  // namespace tidemark::tidectl

int main(int argc, char** argv) {
  return tidemark::tidectl::Run(
      std::span<const char* const>(argv + 1, static_cast<size_t>(argc > 0 ? argc - 1 : 0)));
}
