#include "tools/tidectl/node_link.h"

#include <sys/time.h>

#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "absl/status/status.h"

namespace tidemark::tidectl {
namespace {

constexpr timeval kConnectTimeout = {.tv_sec = 2, .tv_usec = 0};
// A digest walks the whole keyspace before it is answered.
constexpr timeval kReplyTimeout = {.tv_sec = 60, .tv_usec = 0};
constexpr int kBackupAttempts = 100;
constexpr std::chrono::milliseconds kBackupPause(100);

}  // namespace

absl::Status NodeLink::Connect() {
  context_.reset(redisConnectWithTimeout(address_.host.c_str(), address_.port, kConnectTimeout));
  if (context_ == nullptr) return absl::UnavailableError("out of memory");
  if (context_->err == 0) redisSetTimeout(context_.get(), kReplyTimeout);
  if (context_->err != 0) {
    absl::Status status = absl::UnavailableError(std::string(context_->errstr));
    context_.reset();
    return status;
  }
  if (password_.empty()) return absl::OkStatus();
  const std::array<const char*, 2> auth = {"AUTH", password_.c_str()};
  absl::StatusOr<Reply> reply = AskConnected(auth);
  if (!reply.ok()) context_.reset();
  return reply.status();
}

absl::StatusOr<NodeLink::Reply> NodeLink::AskConnected(std::span<const char* const> words) {
  Reply reply(static_cast<redisReply*>(redisCommandArgv(
      context_.get(), static_cast<int>(words.size()), const_cast<const char**>(words.data()),
      /*argvlen=*/nullptr)));
  if (reply == nullptr) {
    absl::Status status = absl::UnavailableError(std::string(context_->errstr));
    context_.reset();
    return status;
  }
  if (reply->type == REDIS_REPLY_ERROR) {
    return absl::FailedPreconditionError(std::string(reply->str, reply->len));
  }
  return reply;
}

absl::StatusOr<NodeLink::Reply> NodeLink::Ask(std::span<const char* const> words) {
  if (context_ == nullptr) {
    if (absl::Status connected = Connect(); !connected.ok()) return connected;
  }
  return AskConnected(words);
}

absl::StatusOr<NodeWatermarks> NodeLink::Watermarks() {
  const std::array<const char*, 2> words = {"TIDE", "WATERMARKS"};
  absl::StatusOr<Reply> reply = Ask(words);
  if (!reply.ok()) return reply.status();
  return ReadWatermarks(**reply);
}

absl::StatusOr<NodeDigest> NodeLink::Digest() {
  const std::array<const char*, 2> words = {"TIDE", "DIGEST"};
  absl::StatusOr<Reply> reply = Ask(words);
  if (!reply.ok()) return reply.status();
  return ReadDigest(**reply);
}

absl::StatusOr<BackupReply> NodeLink::BeginBackup(int64_t seconds) {
  const std::string number = std::to_string(seconds);
  const std::array<const char*, 4> words = {"TIDE", "BACKUP", "BEGIN", number.c_str()};
  for (int attempt = 1;; ++attempt) {
    const absl::StatusOr<Reply> reply = Ask(words);
    if (reply.ok()) return ReadBackup(**reply);
    const std::string message(reply.status().message());
    if (!message.starts_with("TRYAGAIN") || attempt == kBackupAttempts) return reply.status();
    std::this_thread::sleep_for(kBackupPause);
  }
}

absl::Status NodeLink::EndBackup(uint64_t id) {
  const std::string number = std::to_string(id);
  const std::array<const char*, 4> words = {"TIDE", "BACKUP", "END", number.c_str()};
  return Ask(words).status();
}

absl::StatusOr<std::string> NodeLink::Info() {
  const std::array<const char*, 1> words = {"INFO"};
  absl::StatusOr<Reply> reply = Ask(words);
  if (!reply.ok()) return reply.status();
  if ((*reply)->type != REDIS_REPLY_STRING) {
    return absl::InvalidArgumentError("INFO is not a string");
  }
  return std::string((*reply)->str, (*reply)->len);
}

}  // namespace tidemark::tidectl
