#include "base/settings/ack_policy.h"

#include <gtest/gtest.h>

#include <string_view>

namespace tidemark {
namespace {

using Kind = AckPolicy::Kind;

TEST(AckPolicyTest, EveryFormIsReadAndShown) {
  struct Case {
    std::string_view text;
    AckPolicy policy;
  };
  for (const Case& c :
       {Case{"memory", {Kind::kMemory, 0}}, Case{"durable", {Kind::kDurable, 0}},
        Case{"replicas:1", {Kind::kReplicas, 1}}, Case{"replicas:16", {Kind::kReplicas, 16}},
        Case{"durable_replicas:2", {Kind::kDurableReplicas, 2}}}) {
    SCOPED_TRACE(c.text);
    EXPECT_EQ(ParseAckPolicy(c.text), c.policy);
    EXPECT_EQ(ToString(c.policy), c.text);
  }
  EXPECT_EQ(ParseAckPolicy("REPLICAS:3"), (AckPolicy{Kind::kReplicas, 3}));
}

TEST(AckPolicyTest, AnythingElseIsRefused) {
  for (const std::string_view text :
       {"", "disk", "replicas", "replicas:", "replicas:0", "replicas:17", "replicas:-1",
        "replicas: 1", "replicas:1x", "replicas:99999999999", "durable:1", "durable_replicas:0"}) {
    EXPECT_EQ(ParseAckPolicy(text), std::nullopt) << text;
  }
}

TEST(AckPolicyTest, DurableNeedsADiskThatIsSynced) {
  const AckPolicy durable{Kind::kDurable, 0};
  EXPECT_NE(WhyNotAck(durable, false, false), "");
  EXPECT_NE(WhyNotAck(durable, true, true), "");
  EXPECT_EQ(WhyNotAck(durable, true, false), "");
  EXPECT_EQ(WhyNotAck({Kind::kDurableReplicas, 1}, false, true), "");
}

}  // namespace
}  // namespace tidemark
