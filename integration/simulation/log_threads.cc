#include "integration/simulation/log_threads.h"

#include <algorithm>
#include <utility>

namespace tidemark::simulation {
namespace {

constexpr int64_t kWriteUs = 20;  // Into the system's cache.

}  // namespace

LogThreads::Thread* LogThreads::Find(wal::Log* log, uint64_t id) {
  // Another log may have come to the same address.
  const auto found = threads_.find(log);
  return found == threads_.end() || found->second.id != id ? nullptr : &found->second;
}

void LogThreads::Wake(wal::Log* log) {
  Thread& thread = threads_[log];
  if (thread.id == 0) thread.id = next_id_++;
  thread.woken = true;
  if (!thread.busy) StepIn(events_.sim().Between(1, 100), log);
}

void LogThreads::StepIn(int64_t delay_us, wal::Log* log) {
  Thread& thread = threads_.at(log);
  const int64_t due_us = events_.sim().now_us() + delay_us;
  if (thread.due_us >= 0 && thread.due_us <= due_us) return;
  thread.due_us = due_us;
  events_.In(delay_us, [this, log, id = thread.id, due_us] {
    const Thread* const late = Find(log, id);
    if (late != nullptr && late->due_us == due_us && !late->busy) Step(log);
  });
}

void LogThreads::Step(wal::Log* log) {
  Thread& thread = threads_.at(log);
  thread.due_us = -1;
  thread.woken = false;
  thread.busy = true;
  const wal::LogWriter::Step step = log->BeginStep();
  // The platter has it already; the process learns of it when the call returns.
  events_.In(step.synced ? *sync_us_ : kWriteUs, [this, log, id = thread.id, step] {
    if (Find(log, id) != nullptr) AfterStep(log, step);
  });
}

void LogThreads::AfterStep(wal::Log* log, const wal::LogWriter::Step& step) {
  const uint64_t id = threads_.at(log).id;
  log->EndStep(step);
  // What it told of may have stopped it.
  Thread* const thread = Find(log, id);
  if (thread == nullptr) return;
  thread->busy = false;
  if (step.synced || thread->woken) return StepIn(1, log);
  if (step.wait_ns.has_value()) StepIn(*step.wait_ns / 1'000 + 1, log);
}

}  // namespace tidemark::simulation
