#include "cache/commands/redis_oracle.h"

#include <fmt/format.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string_view>

#include "cache/commands/recorded_reply.h"

namespace tidemark::cache {
namespace {

constexpr char kServer[] = "/usr/bin/redis-server";

std::string Written(const redisReply* reply) {
  if (reply == nullptr) return "(no reply)";
  const std::string_view text(reply->str == nullptr ? "" : reply->str, reply->len);
  switch (reply->type) {
    case REDIS_REPLY_STATUS:
      return fmt::format("+{}", text);
    case REDIS_REPLY_ERROR:
      return fmt::format("-{}", text);
    case REDIS_REPLY_INTEGER:
      return fmt::format(":{}", reply->integer);
    case REDIS_REPLY_STRING:
      return Quoted(text);
    case REDIS_REPLY_NIL:
      return "nil";
    default:
      break;
  }
  std::string result = "[";
  for (size_t i = 0; i < reply->elements; ++i) {
    if (i > 0) result += ", ";
    result += Written(reply->element[i]);
  }
  return result + "]";
}

// Reads the server's log until it says that it serves. False if it ends before.
bool WaitUntilReady(int log) {
  std::string text;
  char bytes[512];
  while (text.find("ready to accept connections") == std::string::npos) {
    const ssize_t n = read(log, bytes, sizeof(bytes));
    if (n <= 0) return false;
    text.append(bytes, static_cast<size_t>(n));
  }
  return true;
}

}  // namespace

std::unique_ptr<RedisOracle> RedisOracle::Start() {
  if (access(kServer, X_OK) != 0) return nullptr;
  // The path of a socket is short of space: not the test's own folder, which may be deep.
  char folder[] = "/tmp/oracle-XXXXXX";
  if (mkdtemp(folder) == nullptr) return nullptr;
  const std::string socket = std::string(folder) + "/socket";
  int log[2];
  if (pipe(log) != 0) return nullptr;

  Words words = {kServer,        "--port", "0",     "--unixsocket", socket,        "--save", "",
                 "--appendonly", "no",     "--dir", folder,         "--daemonize", "no"};
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, log[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, log[0]);
  posix_spawn_file_actions_addclose(&actions, log[1]);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, kServer, &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(log[1]);
  if (error != 0) return nullptr;

  std::unique_ptr<RedisOracle> oracle(new RedisOracle(pid, folder, log[0]));
  if (!WaitUntilReady(log[0])) return nullptr;
  oracle->connection_ = redisConnectUnix(socket.c_str());
  if (oracle->connection_ == nullptr || oracle->connection_->err != 0) return nullptr;
  if (oracle->Ask({"info", "server"}).find("redis_version:7.0.") == std::string::npos) {
    return nullptr;
  }
  return oracle;
}

RedisOracle::~RedisOracle() {
  if (connection_ != nullptr) redisFree(connection_);
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  close(log_);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string RedisOracle::Ask(const Words& command) {
  std::vector<const char*> argv;
  std::vector<size_t> lengths;
  for (const std::string& word : command) {
    argv.push_back(word.data());
    lengths.push_back(word.size());
  }
  auto* reply = static_cast<redisReply*>(
      redisCommandArgv(connection_, static_cast<int>(argv.size()), argv.data(), lengths.data()));
  const std::string result = Written(reply);
  if (reply != nullptr) freeReplyObject(reply);
  return result;
}

}  // namespace tidemark::cache
