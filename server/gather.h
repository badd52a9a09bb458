// Asking every shard, and answering with what they said.

#ifndef TIDEMARK_SERVER_GATHER_H_
#define TIDEMARK_SERVER_GATHER_H_

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "server/client.h"
#include "server/node.h"
#include "server/shard_node.h"

namespace tidemark::server {

// Runs `each` on every shard's thread, then `done` with the results, by shard, on the thread of
// `home`.
template <typename Result>
void Gather(ShardNode& home, std::function<Result(ShardNode&)> each,
            std::function<void(std::vector<Result>&)> done) {
  Node& node = home.node();
  // Each shard writes its own element; the engine orders those writes before `done`.
  auto parts = std::make_shared<std::vector<std::optional<Result>>>(
      static_cast<size_t>(node.engine().shard_count()));
  node.engine().PostToAll(
      home.shard().id(),
      [&node, parts, each](cache::Shard& shard) {
        (*parts)[shard.id().value()].emplace(each(node.shard(shard.id())));
      },
      [parts, done = std::move(done)](cache::Shard&) {
        std::vector<Result> results;
        for (auto& part : *parts) results.push_back(std::move(*part));
        done(results);
      });
}

// As Gather, answering one command of `client`, in its place in the order, if it is still there by
// then.
template <typename Result>
void GatherThenReply(Client& client, std::function<Result(ShardNode&)> each,
                     std::function<void(std::vector<Result>&, cache::ReplyBuilder&)> answer) {
  Gather<Result>(
      client.shard(), std::move(each),
      [complete = client.Defer(), answer = std::move(answer)](std::vector<Result>& results) {
        complete([&](cache::ReplyBuilder& reply) { answer(results, reply); });
      });
}

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_GATHER_H_
