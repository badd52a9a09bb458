#include "integration/harness/redis_client.h"

#include <hiredis/hiredis.h>

#include <string_view>

namespace tidemark::integration {
namespace {

Reply ToValue(const redisReply& reply) {
  const auto text = [&] { return std::string(reply.str, reply.len); };
  switch (reply.type) {
    case REDIS_REPLY_STATUS:
      return Reply::Status(text());
    case REDIS_REPLY_ERROR:
      return Reply::Error(text());
    case REDIS_REPLY_STRING:
      return Reply::String(text());
    case REDIS_REPLY_INTEGER:
      return Reply::Integer(reply.integer);
    case REDIS_REPLY_NIL:
      return Reply::Nil();
    case REDIS_REPLY_ARRAY: {
      std::vector<Reply> elements;
      for (size_t i = 0; i < reply.elements; ++i) elements.push_back(ToValue(*reply.element[i]));
      return Reply::Array(std::move(elements));
    }
  }
  return Reply::Lost("a reply of unknown type");
}

}  // namespace

const Reply* Reply::Find(std::string_view key) const {
  for (size_t i = 0; i + 1 < elements.size(); i += 2) {
    if (elements[i].text == key) return &elements[i + 1];
  }
  return nullptr;
}

void PrintTo(const Reply& reply, std::ostream* out) {
  switch (reply.type) {
    case Reply::Type::kLost:
      *out << "(lost: " << reply.text << ")";
      break;
    case Reply::Type::kStatus:
      *out << "+" << reply.text;
      break;
    case Reply::Type::kError:
      *out << "-" << reply.text;
      break;
    case Reply::Type::kString:
      *out << '"' << reply.text << '"';
      break;
    case Reply::Type::kInteger:
      *out << ":" << reply.integer;
      break;
    case Reply::Type::kNil:
      *out << "(nil)";
      break;
    case Reply::Type::kArray:
      *out << "[";
      for (size_t i = 0; i < reply.elements.size(); ++i) {
        if (i > 0) *out << ", ";
        PrintTo(reply.elements[i], out);
      }
      *out << "]";
  }
}

void RedisClient::Close::operator()(redisContext* context) const { redisFree(context); }

RedisClient::RedisClient(int port, Duration deadline) {
  const timeval timeout = {.tv_sec = deadline.count() / 1000,
                           .tv_usec = deadline.count() % 1000 * 1000};
  context_.reset(redisConnectWithTimeout("127.0.0.1", port, timeout));
  if (context_ != nullptr && context_->err == 0) redisSetTimeout(context_.get(), timeout);
}

RedisClient::RedisClient(RedisClient&&) noexcept = default;
RedisClient& RedisClient::operator=(RedisClient&&) noexcept = default;
RedisClient::~RedisClient() = default;

Reply RedisClient::Do(const std::vector<std::string>& arguments) {
  Queue(arguments);
  return Flush().back();
}

void RedisClient::Queue(const std::vector<std::string>& arguments) {
  ++queued_;
  if (context_ == nullptr || context_->err != 0) return;
  std::vector<const char*> texts;
  std::vector<size_t> sizes;
  for (const std::string& argument : arguments) {
    texts.push_back(argument.data());
    sizes.push_back(argument.size());
  }
  redisAppendCommandArgv(context_.get(), static_cast<int>(texts.size()), texts.data(),
                         sizes.data());
}

std::vector<Reply> RedisClient::Flush() {
  std::vector<Reply> replies;
  for (; queued_ > 0; --queued_) replies.push_back(Read());
  return replies;
}

Reply RedisClient::Read() {
  if (context_ == nullptr) return Reply::Lost("out of memory");
  void* raw = nullptr;
  if (context_->err != 0 || redisGetReply(context_.get(), &raw) != REDIS_OK) {
    return Reply::Lost(context_->errstr);
  }
  auto* reply = static_cast<redisReply*>(raw);
  Reply value = ToValue(*reply);
  freeReplyObject(reply);
  return value;
}

}  // namespace tidemark::integration
