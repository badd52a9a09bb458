// Coverage counts the scenarios in which each named situation occurred, so that the simulation
// cannot silently stop exercising something: a fault that never strikes proves nothing.

#ifndef TIDEMARK_INTEGRATION_SIMULATION_COVERAGE_H_
#define TIDEMARK_INTEGRATION_SIMULATION_COVERAGE_H_

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark::simulation {

enum class Situation : uint8_t {
  // A replica catches up.
  kFullSync,
  kBacklogCatchUp,
  kSnapshotDropped,
  kOverflow,
  kDamagedMessage,
  kOldConnectionReplaced,
  kContinuedInChildHistory,
  kPositionRefused,
  kStepAtCut,
  kFrozenPastTimeout,
  kAcrossShardCounts,
  kFedFromLog,
  kReturnedLive,
  // A replica's own log.
  kReplicaRecovered,
  kWentOnFromOwnLog,
  kReplicaBeyondCut,
  kFullSyncDropped,
  kFullSyncAbandoned,
  kDiscardsNamed,
  kReplicaSnapshot,
  kReplicaLogFailed,
  kChangeWaitedForSpace,
  kReplicaDiedAtCrashPoint,
  kReplicaWiped,
  // Another primary.
  kPromoted,
  kPromotedByRestart,
  kPromotionLostRecords,
  kForkWithinFrame,
  kIsolated,
  kOutage,
  kRejoined,
  // The log and its recovery.
  kTornTailCut,
  kTransactionDiscarded,
  kNewHistory,
  kSameHistory,
  kResharded,
  kRecoveredFromSnapshot,
  kDiedAtCrashPoint,
  kStartFailed,
  kSegmentsRolled,
  kSnapshotTaken,
  kSnapshotFailed,
  kSegmentsPruned,
  kDiskFull,
  kDiskFullMended,
  kLogFailed,
  // Clients.
  kAckedDurable,
  kAckedByReplica,
  kWaitTimedOut,
  kHeldForOne,
  kHeldForTwo,
  kAckedByReplicasDisk,
  kHeldTimedOut,
  kWritesRefused,
  kUnansweredAtCrash,
  // The change feed.
  kFeedResumed,
  kFeedChangedHistory,
  kFeedSnapshot,
  kFeedPositionLost,
  kFeedForeign,
  kCount,
};
inline constexpr size_t kSituations = static_cast<size_t>(Situation::kCount);
std::string_view NameOf(Situation situation);

// Of one scenario.
class Situations {
 public:
  void Note(Situation situation, bool occurred = true) {
    if (occurred) seen_.set(static_cast<size_t>(situation));
  }
  bool seen(Situation situation) const { return seen_.test(static_cast<size_t>(situation)); }

 private:
  std::bitset<kSituations> seen_;
};

class Coverage {
 public:
  void Add(const Situations& situations);
  uint64_t scenarios() const { return scenarios_; }
  uint64_t count(Situation situation) const { return counts_[static_cast<size_t>(situation)]; }
  std::vector<Situation> Missing() const;
  // A line for each.
  std::string Report() const;

 private:
  uint64_t scenarios_ = 0;
  std::array<uint64_t, kSituations> counts_ = {};
};

}  // namespace tidemark::simulation

#endif  // TIDEMARK_INTEGRATION_SIMULATION_COVERAGE_H_
