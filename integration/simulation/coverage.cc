#include "integration/simulation/coverage.h"

#include "fmt/format.h"

namespace tidemark::simulation {

std::string_view NameOf(Situation situation) {
  switch (situation) {
    case Situation::kFullSync:
      return "a replica did a full sync";
    case Situation::kBacklogCatchUp:
      return "a replica caught up without one";
    case Situation::kSnapshotDropped:
      return "half a snapshot was dropped";
    case Situation::kOverflow:
      return "a slow replica's queue overflowed";
    case Situation::kDamagedMessage:
      return "a message arrived damaged";
    case Situation::kOldConnectionReplaced:
      return "a node connected a second time";
    case Situation::kContinuedInChildHistory:
      return "a replica went on in a child history";
    case Situation::kPositionRefused:
      return "a replica with data had to take a snapshot";
    case Situation::kStepAtCut:
      return "a change was applied at a cut";
    case Situation::kFrozenPastTimeout:
      return "a node was frozen past the time-outs";
    case Situation::kAcrossShardCounts:
      return "a replica had another number of shards";
    case Situation::kTornTailCut:
      return "a torn tail was cut";
    case Situation::kTransactionDiscarded:
      return "half a transaction was discarded";
    case Situation::kNewHistory:
      return "an unclean stop began a history";
    case Situation::kSameHistory:
      return "a clean stop kept the history";
    case Situation::kResharded:
      return "a primary changed its number of shards";
    case Situation::kRecoveredFromSnapshot:
      return "a recovery loaded a snapshot";
    case Situation::kDiedAtCrashPoint:
      return "a primary died at a crash point";
    case Situation::kStartFailed:
      return "a start failed for want of a disk";
    case Situation::kSegmentsRolled:
      return "the log rolled a segment";
    case Situation::kSnapshotTaken:
      return "a snapshot was taken to disk";
    case Situation::kSnapshotFailed:
      return "a snapshot to disk failed";
    case Situation::kSegmentsPruned:
      return "segments were pruned";
    case Situation::kDiskFull:
      return "the disk was full";
    case Situation::kDiskFullMended:
      return "a full disk had room again";
    case Situation::kLogFailed:
      return "the log failed for good";
    case Situation::kAckedDurable:
      return "a write was acknowledged as durable";
    case Situation::kAckedByReplica:
      return "a write was acknowledged by a replica";
    case Situation::kWaitTimedOut:
      return "a wait for a replica timed out";
    case Situation::kWritesRefused:
      return "writes were refused";
    case Situation::kUnansweredAtCrash:
      return "a crash left writes unanswered";
    case Situation::kFeedResumed:
      return "the feed resumed where it was";
    case Situation::kFeedChangedHistory:
      return "the feed went on in a child history";
    case Situation::kFeedSnapshot:
      return "the feed began with a snapshot";
    case Situation::kFeedPositionLost:
      return "the feed lost its position";
    case Situation::kFedFromLog:
      return "a replica was fed from the primary's log";
    case Situation::kReturnedLive:
      return "a replica that fell behind came back to the live feed";
    case Situation::kReplicaRecovered:
      return "a replica came back with its own log";
    case Situation::kWentOnFromOwnLog:
      return "a replica went on from its own log";
    case Situation::kReplicaBeyondCut:
      return "a replica's log ended between parts of a transaction";
    case Situation::kFullSyncDropped:
      return "a restart dropped half a full sync";
    case Situation::kFullSyncAbandoned:
      return "a full sync was given up for the log before it";
    case Situation::kDiscardsNamed:
      return "a full sync threw records away, and named them";
    case Situation::kReplicaSnapshot:
      return "a replica took a snapshot to its disk";
    case Situation::kReplicaLogFailed:
      return "a replica's log failed for good";
    case Situation::kChangeWaitedForSpace:
      return "a replica's change of stream waited for space";
    case Situation::kReplicaDiedAtCrashPoint:
      return "a replica died at a crash point";
    case Situation::kReplicaWiped:
      return "a replica lost its disk";
    case Situation::kPromoted:
      return "a replica was promoted while it ran";
    case Situation::kPromotedByRestart:
      return "a replica was promoted by a restart";
    case Situation::kPromotionLostRecords:
      return "a promotion named records that it lost";
    case Situation::kForkWithinFrame:
      return "a promoted replica held part of a frame";
    case Situation::kIsolated:
      return "an old primary lived on alone";
    case Situation::kOutage:
      return "all nodes lost power at once";
    case Situation::kRejoined:
      return "an old primary came back as a replica";
    case Situation::kHeldForOne:
      return "a reply was held until one replica had it";
    case Situation::kHeldForTwo:
      return "a reply was held until two replicas had it";
    case Situation::kAckedByReplicasDisk:
      return "a reply was held until it was on a replica's disk";
    case Situation::kHeldTimedOut:
      return "a held reply timed out";
    case Situation::kFeedForeign:
      return "the feed's position was none of a new primary's";
    case Situation::kCount:
      break;
  }
  return "?";
}

void Coverage::Add(const Situations& situations) {
  ++scenarios_;
  for (size_t i = 0; i < kSituations; ++i) {
    if (situations.seen(static_cast<Situation>(i))) ++counts_[i];
  }
}

std::vector<Situation> Coverage::Missing() const {
  std::vector<Situation> missing;
  for (size_t i = 0; i < kSituations; ++i) {
    if (counts_[i] == 0) missing.push_back(static_cast<Situation>(i));
  }
  return missing;
}

std::string Coverage::Report() const {
  std::string report = fmt::format("{:>7} scenarios, of which in\n", scenarios_);
  for (size_t i = 0; i < kSituations; ++i) {
    report += fmt::format("{:>7} {}\n", counts_[i], NameOf(static_cast<Situation>(i)));
  }
  return report;
}

}  // namespace tidemark::simulation
