// NodeLink is a connection to one node that is made when first needed, and again after a failure.
//
// Threading: one thread. Every call blocks, for at most its timeout.

#ifndef TIDEMARK_TOOLS_TIDECTL_NODE_LINK_H_
#define TIDEMARK_TOOLS_TIDECTL_NODE_LINK_H_

#include <hiredis/hiredis.h>

#include <memory>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "tools/tidectl/arguments.h"
#include "tools/tidectl/tide_reply.h"

namespace tidemark::tidectl {

class NodeLink {
 public:
  NodeLink(Address address, std::string password)
      : address_(std::move(address)), password_(std::move(password)) {}

  std::string name() const { return address_.text(); }

  // Errors: Unavailable if the node cannot be reached, FailedPrecondition if it answers with an
  // error, InvalidArgument if the answer is not understood. The message does not name the node.
  absl::StatusOr<NodeWatermarks> Watermarks();
  absl::StatusOr<NodeDigest> Digest();
  absl::StatusOr<std::string> Info();
  // Asks again for a while if the node is deleting files at this moment.
  absl::StatusOr<BackupReply> BeginBackup(int64_t seconds);
  absl::Status EndBackup(uint64_t id);

 private:
  struct FreeContext {
    void operator()(redisContext* context) const { redisFree(context); }
  };
  struct FreeReply {
    void operator()(redisReply* reply) const { freeReplyObject(reply); }
  };
  using Reply = std::unique_ptr<redisReply, FreeReply>;

  absl::Status Connect();
  absl::StatusOr<Reply> Ask(std::span<const char* const> words);
  absl::StatusOr<Reply> AskConnected(std::span<const char* const> words);

  const Address address_;
  const std::string password_;
  std::unique_ptr<redisContext, FreeContext> context_;  // Null if not connected.
};

}  // namespace tidemark::tidectl

#endif  // TIDEMARK_TOOLS_TIDECTL_NODE_LINK_H_
