#include "tools/tidectl/verdict.h"

#include <fmt/format.h>

#include <string_view>

#include "tools/tidectl/status_table.h"

namespace tidemark::tidectl {
namespace {

// Names the shards in which two nodes differ. Nodes with other numbers of shards cut the keys
// otherwise.
std::string DifferingShards(const NodeDigest& a, const NodeDigest& b) {
  if (a.shard_digests.empty() || a.shard_digests.size() != b.shard_digests.size()) {
    return fmt::format("their shards ({} and {}) do not compare one by one", a.shard_digests.size(),
                       b.shard_digests.size());
  }
  std::string shards;
  for (size_t i = 0; i < a.shard_digests.size(); ++i) {
    if (a.shard_digests[i] != b.shard_digests[i]) shards += fmt::format(" {}", i);
  }
  return "in shard" + shards;
}

Verdict Compare(const DigestOf& first, const DigestOf& other) {
  const NodeDigest& a = *first.digest;
  const NodeDigest& b = *other.digest;
  if (a.history != b.history) {
    return {Outcome::kUneven, fmt::format("{} is of history {}, {} of {}\n", first.name, a.history,
                                          other.name, b.history)};
  }
  if (a.watermarks != b.watermarks) {
    return {Outcome::kUneven,
            fmt::format("{} stands at {}, {} at {}\n", first.name, VectorText(a.watermarks),
                        other.name, VectorText(b.watermarks))};
  }
  if (a.digest != b.digest || a.keys != b.keys) {
    return {Outcome::kDiffer,
            fmt::format("{} and {} differ at {}, {}: {} keys, digest {}; {} keys, digest {}\n",
                        first.name, other.name, VectorText(a.watermarks), DifferingShards(a, b),
                        a.keys, a.digest, b.keys, b.digest)};
  }
  return {Outcome::kEqual, ""};
}

}  // namespace

Verdict Judge(std::span<const DigestOf> nodes) {
  Verdict verdict = {Outcome::kEqual, ""};
  for (const DigestOf& node : nodes) {
    if (node.digest.ok()) continue;
    const auto& why = node.digest.status().message();
    verdict.outcome = Outcome::kUneven;
    verdict.text += fmt::format("{}: {}\n", node.name, std::string_view(why.data(), why.size()));
  }
  if (verdict.outcome != Outcome::kEqual) return verdict;
  for (const DigestOf& other : nodes.subspan(1)) {
    const Verdict pair = Compare(nodes.front(), other);
    verdict.text += pair.text;
    // A difference outweighs a node that is not even yet.
    if (verdict.outcome != Outcome::kDiffer && pair.outcome != Outcome::kEqual) {
      verdict.outcome = pair.outcome;
    }
  }
  if (verdict.outcome == Outcome::kEqual) {
    const NodeDigest& digest = *nodes.front().digest;
    verdict.text =
        fmt::format("{} nodes are equal at {} of history {}: {} keys, digest {}\n", nodes.size(),
                    VectorText(digest.watermarks), digest.history, digest.keys, digest.digest);
  }
  return verdict;
}

}  // namespace tidemark::tidectl
