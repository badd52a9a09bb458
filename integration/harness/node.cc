#include "integration/harness/node.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>

namespace tidemark::integration {

Node Node::Primary(const Flags& flags) {
  return Node(Runfile("server/primary"), /*opens_replication_port=*/true, flags);
}

Node Node::Replica(const Node& primary, const Flags& flags) {
  return ReplicaOf(primary.replication_port(), flags);
}

Node Node::ReplicaOf(const std::string& host, int replication_port, const Flags& flags) {
  Flags all = {fmt::format("--primary={}:{}", host, replication_port)};
  all.insert(all.end(), flags.begin(), flags.end());
  return Node(Runfile("server/replica"), /*opens_replication_port=*/false, std::move(all));
}

Node Node::CrashingPrimary(const Flags& flags, std::vector<std::string> environment) {
  return Node(Runfile("integration/crashing_primary"), /*opens_replication_port=*/true, flags,
              std::move(environment));
}

Node Node::CrashingReplica(const Node& primary, const Flags& flags,
                           std::vector<std::string> environment) {
  Flags all = {"--role=replica", fmt::format("--primary=127.0.0.1:{}", primary.replication_port())};
  all.insert(all.end(), flags.begin(), flags.end());
  return Node(Runfile("integration/crashing_primary"), /*opens_replication_port=*/true,
              std::move(all), std::move(environment));
}

void Node::Start() {
  // env(1) becomes the program, so its process is ours.
  std::vector<std::string> command;
  if (!environment_.empty()) {
    command.push_back("env");
    command.insert(command.end(), environment_.begin(), environment_.end());
  }
  command.insert(command.end(), {program_, fmt::format("--port={}", ready_.port)});
  const bool binds = std::any_of(flags_.begin(), flags_.end(), [](const std::string& flag) {
    return flag.starts_with("--bind=");
  });
  if (!binds) command.push_back("--bind=127.0.0.1");
  if (opens_replication_port_) {
    command.push_back(fmt::format("--replication_port={}", ready_.replication_port.value_or(0)));
  }
  for (const std::string& flag : flags_) {
    // The port that the kernel chose the first time is kept.
    const bool chosen = flag == "--replication_port=0" && ready_.replication_port.has_value();
    command.push_back(chosen ? fmt::format("--replication_port={}", *ready_.replication_port)
                             : flag);
  }
  process_ = std::make_unique<Process>(command);
}

bool Node::AwaitReady(Duration patience) {
  std::optional<std::string> line;
  const bool spoke = Eventually(patience, [&] {
    line = process_->FirstLine();
    return line || process_->WaitExit(Duration(0));
  });
  if (!line) {
    ADD_FAILURE() << program_ << (spoke ? " ended before it was ready" : " is not ready in time")
                  << "; its log:\n"
                  << process_->Errors();
    return false;
  }
  const absl::StatusOr<ReadyLine> ready = ParseReadyLine(*line);
  if (!ready.ok()) {
    ADD_FAILURE() << ready.status();
    return false;
  }
  EXPECT_EQ(ready->pid, process_->pid());
  ready_ = *ready;
  return true;
}

bool Node::AwaitReadyOrKilled(Duration patience) {
  const bool done = Eventually(
      patience, [&] { return process_->FirstLine() || process_->WaitExit(Duration(0)); });
  if (done && !process_->FirstLine() && process_->WaitExit(Duration(0)) == KilledBy(SIGKILL)) {
    return false;
  }
  return AwaitReady(Duration(0));
}

void Node::Kill() {
  process_->Signal(SIGKILL);
  EXPECT_EQ(process_->WaitExit(kPatience), KilledBy(SIGKILL));
}

void Node::Stop() {
  process_->Signal(SIGTERM);
  EXPECT_EQ(process_->WaitExit(kPatience), ExitedWith(0));
}

void Node::Restart() {
  process_.reset();
  Start();
}

}  // namespace tidemark::integration
