// TestFollower is one who follows a stream in a test: its queue, and what it made of it.
//
// Threading: none.

#ifndef TIDEMARK_REPLICATION_TEST_FOLLOWER_H_
#define TIDEMARK_REPLICATION_TEST_FOLLOWER_H_

#include <gtest/gtest.h>

#include <vector>

#include "replication/stream_reader.h"
#include "replication/subscriber.h"

namespace tidemark::replication {

struct TestFollower {
  SubscriberRef subscriber;
  StreamReader reader;

  // In bites of a few frames, so that what is taken spans several.
  void TakeAll() {
    std::vector<FrameRef> frames;
    subscriber->BeginDrain();
    while (subscriber->Drain(3, 1 << 30, &frames)) {
    }
    for (const FrameRef& frame : frames) {
      const absl::Status taken = reader.Take(*frame);
      ASSERT_TRUE(taken.ok()) << taken;
    }
  }
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_TEST_FOLLOWER_H_
