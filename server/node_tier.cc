#include "server/node_tier.h"

#include <algorithm>
#include <utility>

namespace tidemark::server {

NodeTier::NodeTier(const Settings& settings) : settings_(settings) {}

NodeTier::~NodeTier() { Stop(); }

absl::StatusOr<std::unique_ptr<NodeTier>> NodeTier::Open(const Settings& settings, int shards,
                                                         wal::Disk& disk, const Clock& clock) {
  std::unique_ptr<NodeTier> node(new NodeTier(settings));
  tier::TierOptions options;
  options.shards = shards;
  options.max_bytes = static_cast<uint64_t>(settings.Int(Setting::kTierBytes));
  options.compress = settings.Bool(Setting::kTierCompression);
  options.clock = &clock;
  // Tasks come only once Attach() has brought the engine: nothing was asked before.
  auto opened = tier::ValueTier::Open(
      disk, settings.String(Setting::kTierDir), options,
      [node = node.get()](ShardId shard, std::function<void()> task) {
        node->engine_->Post(shard, [task = std::move(task)](cache::Shard&) { task(); });
      });
  if (!opened.ok()) return opened.status();
  node->tier_ = *std::move(opened);
  node->marks_.resize(static_cast<size_t>(shards));
  return node;
}

void NodeTier::Attach(cache::Engine& engine) {
  engine_ = &engine;
  for (int i = 0; i < engine.shard_count(); ++i) {
    const ShardId id(static_cast<uint16_t>(i));
    cache::ColdValues::Options options;
    options.min_value_bytes = static_cast<size_t>(settings_.Int(Setting::kTierMinValueBytes));
    options.stalled_ms = std::max<int64_t>(settings_.Int(Setting::kWriteStallMs), 100);
    options.promote = [this, id](std::string_view key, const tier::ValueLocation& at,
                                 const tier::ReadValue& value) { OnDiskHit(id, key, at, value); };
    engine.shard(id).AttachTier(options, &tier_->front(id));
  }
  const auto count = [this](Setting id) { return static_cast<size_t>(settings_.Int(id)); };
  pool_ = std::make_unique<tier::PromotionPool>(
      tier::PromotionPool::Options{.queue_capacity = count(Setting::kPromotionQueueCapacity),
                                   .worker_count = count(Setting::kPromotionWorkers)},
      [this](const tier::PromotionRequest& request) { return Promote(request); });
}

void NodeTier::OnDiskHit(ShardId shard, std::string_view key, const tier::ValueLocation& at,
                         const tier::ReadValue& value) {
  const tier::PromotionPolicy now = policy();
  if (now == tier::PromotionPolicy::kNever) return;
  if (now == tier::PromotionPolicy::kOnSecondHit && !marks_[shard.value()].Hit(at)) return;
  // The shard has the bytes in hand, and nobody waits for it once this turn's replies are gone.
  if (engine_->shard(shard).cold_values()->landings().Add(key, at, value)) return;
  pool_->Schedule({.shard = shard,
                   .key = std::string(key),
                   .location = at,
                   .value_bytes = value.bytes.size(),
                   .bytes = value.owner,
                   .bytes_offset = static_cast<size_t>(value.bytes.data() - value.owner->data()),
                   .policy = now});
}

absl::Status NodeTier::Promote(const tier::PromotionRequest& request) {
  tier::ReadValue value;
  if (request.bytes) {
    value = {.owner = request.bytes,
             .bytes = request.bytes->view().substr(request.bytes_offset, request.value_bytes)};
  } else {
    auto read = tier_->front(request.shard).ReadNow(request.key, request.location);
    // Freed meanwhile: there is nothing to promote any more.
    if (absl::IsNotFound(read.status())) return absl::OkStatus();
    if (!read.ok()) return read.status();
    value = *std::move(read);
  }
  engine_->Post(request.shard, [key = request.key, at = request.location,
                                value = std::move(value)](cache::Shard& shard) {
    shard.Promote(cache::KeyRef::Of(key), at, value.bytes);
  });
  return absl::OkStatus();
}

void NodeTier::Stop() {
  if (pool_ != nullptr) pool_->Shutdown();  // Shards may still offer it something.
  if (tier_ != nullptr) tier_->Stop();
}

void NodeTier::Join() { pool_.reset(); }

TierView NodeTier::View() const {
  static constexpr const char* kPolicies[] = {"immediate", "on_second_hit", "never"};
  TierView view;
  view.enabled = true;
  view.promotion_policy = kPolicies[static_cast<size_t>(policy())];
  view.log = tier_->stats();
  if (pool_ != nullptr) view.promotions = pool_->counts();
  return view;
}

}  // namespace tidemark::server
