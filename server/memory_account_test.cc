#include "server/memory_account.h"

#include <gtest/gtest.h>

namespace tidemark::server {
namespace {

constexpr uint64_t kMb = 1 << 20;

MemoryAccount Account() {
  MemoryAccount account;
  account.has_allocator = true;
  account.allocated_bytes = 150 * kMb;
  account.mapped_bytes = 10 * kMb;
  account.rss_bytes = 180 * kMb;
  account.keyspace_bytes = 100 * kMb;
  account.client_bytes = 5 * kMb;
  account.mesh_bytes = 1 * kMb;
  account.backlog_bytes = 40 * kMb;
  return account;
}

TEST(MemoryAccountTest, WhatNoClassKnowsIsOther) {
  EXPECT_EQ(Account().used_bytes(), 160 * kMb);
  EXPECT_EQ(Account().other_bytes(), 14 * kMb);
}

TEST(MemoryAccountTest, KeyspacesMayHoldWhatTheRestLeaves) {
  EXPECT_EQ(KeyspaceLimit(200 * kMb, Account()), 140 * kMb);
  EXPECT_EQ(KeyspaceLimit(50 * kMb, Account()), 0u);
}

TEST(MemoryAccountTest, QueuesBeyondTheBacklogDoNotCount) {
  MemoryAccount account = Account();
  account.allocated_bytes += 30 * kMb;
  account.subscriber_queue_bytes = 60 * kMb;  // The backlog's own 40 among them.
  account.log_queue_bytes = 10 * kMb;
  EXPECT_EQ(account.uncounted_bytes(), 30 * kMb);
  EXPECT_EQ(KeyspaceLimit(200 * kMb, account), 140 * kMb);
}

TEST(MemoryAccountTest, ResidentMemoryBeyondTheSlackTakesFromTheKeyspaces) {
  MemoryAccount account = Account();
  account.rss_bytes = 220 * kMb + MemoryAccount::kRssConstantBytes;
  EXPECT_EQ(KeyspaceLimit(200 * kMb, account), 140 * kMb);
  account.rss_bytes += 20 * kMb;
  EXPECT_EQ(KeyspaceLimit(200 * kMb, account), 120 * kMb);
  account.rss_bytes += 500 * kMb;
  EXPECT_EQ(KeyspaceLimit(200 * kMb, account), 100 * kMb);  // No less than half.
}

TEST(MemoryAccountTest, WithoutAnAllocatorsFiguresTheClassesAreSummed) {
  MemoryAccount account = Account();
  account.has_allocator = false;
  account.rss_bytes = 5'000 * kMb;  // A sanitizer's shadow.
  EXPECT_EQ(account.used_bytes(), 146 * kMb);
  EXPECT_EQ(KeyspaceLimit(200 * kMb, account), 154 * kMb);
}

TEST(MemoryAccountTest, PagesGoBackOnceHalfOfTheSlackIsGone) {
  MemoryAccount account = Account();
  account.rss_bytes = 210 * kMb + MemoryAccount::kRssConstantBytes / 2;
  EXPECT_FALSE(WantsPurge(200 * kMb, account));
  account.rss_bytes += kMb;
  EXPECT_TRUE(WantsPurge(200 * kMb, account));
}

TEST(MemoryAccountTest, OvershootIsAShareOfTheSlack) {
  MemoryAccount account = Account();
  EXPECT_EQ(OvershootPercent(0, account), 0);
  EXPECT_EQ(OvershootPercent(160 * kMb, account), 0);
  // A tenth of 120 MiB and the constant are 44 MiB, 40 of them in use.
  EXPECT_EQ(OvershootPercent(120 * kMb, account), 90);
  EXPECT_EQ(OvershootPercent(20 * kMb, account), 100);
}

}  // namespace
}  // namespace tidemark::server
