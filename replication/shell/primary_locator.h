// PrimaryLocator finds the port on which a node takes replicas, given any port of that node: users
// of Redis name the port of a primary's clients, and ours takes replicas on another.
//
// It connects and asks, as a client would, `TIDE PEER`. A node's client port answers with its
// replication port. Whatever does not answer as Redis does is taken for a replication port itself:
// there the question is a damaged message, and the connection ends with a Goodbye.
//
// Threading: the thread of its io_context.

#ifndef TIDEMARK_REPLICATION_SHELL_PRIMARY_LOCATOR_H_
#define TIDEMARK_REPLICATION_SHELL_PRIMARY_LOCATOR_H_

#include <asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace tidemark::replication {

// What a node says of itself to TIDE PEER.
struct PeerAnswer {
  bool speaks_resp = false;  // False: what answered is no port for clients.
  std::string role;          // "primary" or "replica".
  std::string node_id;
  uint16_t replication_port = 0;          // 0: it serves no replicas.
  std::vector<std::string> follows = {};  // A replica: the nodes that its stream comes from.
};

// Where a node takes replicas.
struct LocatedPrimary {
  uint16_t port = 0;
  bool is_replica = false;  // It follows another itself, and hands on what it gets.
};

// Reads an answer to TIDE PEER from the bytes that came so far, `end` if no more will. Null: more
// are needed. FailedPrecondition: what answers there is no node of ours, or wants something else
// first.
absl::StatusOr<std::optional<PeerAnswer>> ParsePeerAnswer(std::string_view bytes, bool end);

// The answer of a node: what ParsePeerAnswer reads, without the RESP around it.
std::string PeerAnswerText(const PeerAnswer& answer);

class PrimaryLocator {
 public:
  // Borrows `context`.
  explicit PrimaryLocator(asio::io_context& context);
  ~PrimaryLocator();  // Cancels.

  // Calls back once, later: with the port for replicas at `host`; or, Unavailable, why none is
  // known. FailedPrecondition: `own_node_id` answers there, or a node that follows it, or one that
  // takes no replicas. One at a time; the owner sets the deadline, with Cancel().
  using Found = std::function<void(absl::StatusOr<LocatedPrimary> found)>;
  void Locate(const std::string& host, uint16_t port, std::string own_node_id, Found found);
  // No callback comes after this.
  void Cancel();

 private:
  struct Question;
  asio::io_context& context_;
  std::shared_ptr<Question> question_;  // Shared with the handlers under way.
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_SHELL_PRIMARY_LOCATOR_H_
