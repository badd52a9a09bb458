#include "base/settings/ack_policy.h"

#include <fmt/format.h>

#include <charconv>

#include "absl/status/status.h"
#include "base/text.h"

namespace tidemark {
namespace {

constexpr std::string_view kReplicas = "replicas:";
constexpr std::string_view kDurableReplicas = "durable_replicas:";

bool TakePrefix(std::string_view prefix, std::string_view& text) {
  if (!EqualsIgnoreCase(text.substr(0, prefix.size()), prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

}  // namespace

std::optional<AckPolicy> ParseAckPolicy(std::string_view text) {
  AckPolicy policy;
  if (EqualsIgnoreCase(text, "memory")) return policy;
  if (EqualsIgnoreCase(text, "durable")) {
    policy.kind = AckPolicy::Kind::kDurable;
    return policy;
  }
  if (TakePrefix(kReplicas, text)) {
    policy.kind = AckPolicy::Kind::kReplicas;
  } else if (TakePrefix(kDurableReplicas, text)) {
    policy.kind = AckPolicy::Kind::kDurableReplicas;
  } else {
    return std::nullopt;
  }
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, policy.replicas);
  if (error != std::errc() || stopped != end) return std::nullopt;
  if (policy.replicas < 1 || policy.replicas > AckPolicy::kMaxReplicas) return std::nullopt;
  return policy;
}

std::string ToString(const AckPolicy& policy) {
  switch (policy.kind) {
    case AckPolicy::Kind::kMemory:
      break;
    case AckPolicy::Kind::kDurable:
      return "durable";
    case AckPolicy::Kind::kReplicas:
      return fmt::format("{}{}", kReplicas, policy.replicas);
    case AckPolicy::Kind::kDurableReplicas:
      return fmt::format("{}{}", kDurableReplicas, policy.replicas);
  }
  return "memory";
}

std::string_view WhyNotAck(const AckPolicy& policy, bool has_data_dir, bool fsync_never) {
  if (policy.kind != AckPolicy::Kind::kDurable) return "";
  if (!has_data_dir) return "durable needs a data_dir: this node keeps nothing on disk";
  if (fsync_never)
    return "durable needs fsync=interval or fsync=always: with never, nothing is forced to disk";
  return "";
}

absl::StatusOr<std::string> CanonicalAckPolicy(std::string_view, std::string_view text) {
  const std::optional<AckPolicy> policy = ParseAckPolicy(text);
  if (!policy) return absl::InvalidArgumentError(fmt::format("must be {}", kAckPolicyForms));
  return ToString(*policy);
}

}  // namespace tidemark
