#include "cache/keyspace.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"

namespace tidemark::cache {
namespace {

// Whether `bytes` lie in the key or value of `entry`, which may be null.
bool IsViewOf(const Entry* entry, std::string_view bytes) {
  const auto within = [bytes](std::string_view whole) {
    // Pointers into different objects compare as numbers.
    const auto at = reinterpret_cast<uintptr_t>(bytes.data());
    const auto begin = reinterpret_cast<uintptr_t>(whole.data());
    return at >= begin && at <= begin + whole.size();
  };
  return entry != nullptr && (within(entry->key()) || (!entry->cold() && within(entry->value())));
}

// What a flush frees on the spot: below this, handing over to Housekeeping() costs more than it
// saves.
constexpr size_t kFreedAtOnce = 128;

}  // namespace

void Keyspace::Contents::Swap(Contents& other) {
  keys.Swap(other.keys);
  expiring.Swap(other.expiring);
  std::swap(entry_bytes, other.entry_bytes);
  std::swap(cold_entries, other.cold_entries);
  std::swap(cold_bytes, other.cold_bytes);
  std::swap(mark, other.mark);
  std::swap(pass_running, other.pass_running);
  std::swap(pass_cursor, other.pass_cursor);
  std::swap(abandoned_walks, other.abandoned_walks);
}

Keyspace::Keyspace(const Options& options)
    : contents_(options.hash_function),
      sink_(options.sink),
      effects_only_(options.effects_only),
      random_(options.random_seed),
      hash_function_(options.hash_function),
      chooser_(options.hash_function, options.random_seed) {}

Keyspace::~Keyspace() {
  constexpr size_t kAll = std::numeric_limits<size_t>::max();
  FreeSome(contents_, kAll);
  for (const auto& contents : detached_) FreeSome(*contents, kAll);
}

// --- Reading ---

const Entry* Keyspace::Find(KeyRef key) {
  Entry* entry = contents_.keys.Find(key.hash, key.key);
  if (entry == nullptr || entry->ExpiredAt(now_ms_)) [[unlikely]]
    return Miss(key, entry);
  ++stats_.hits;
  Touch(key.hash, entry);
  if (entry->has_extras()) [[unlikely]]
    UseExtras(entry);
  return entry;
}

const Entry* Keyspace::Miss(const KeyRef& key, Entry* expired) {
  ++stats_.misses;
  if (expired != nullptr) DropExpired(key, expired);
  return nullptr;
}

const Entry* Keyspace::Peek(KeyRef key) {
  Entry* entry = Present(key);
  if (entry == nullptr || !entry->ExpiredAt(now_ms_)) return entry;
  DropExpired(key, entry);
  return nullptr;
}

Entry* Keyspace::EntryForWrite(KeyRef key) {
  Entry* entry = Present(key);
  if (entry == nullptr || !entry->ExpiredAt(now_ms_)) return entry;
  ++stats_.expired_lazily;
  Remove(key.hash, entry, DeleteCause::kExpired);
  return nullptr;
}

void Keyspace::DropExpired(KeyRef key, Entry* entry) {
  if (effects_only_) return;
  ++stats_.expired_lazily;
  Remove(key.hash, entry, DeleteCause::kExpired);
}

uint64_t Keyspace::Scan(uint64_t cursor, size_t count,
                        const std::function<void(const Entry&)>& visit) {
  // Of a table that has lost most of its keys, give up after so many buckets for each entry asked
  // for.
  constexpr size_t kBucketsPerEntry = 10;
  size_t entries = 0;
  size_t buckets = 0;
  do {
    cursor = contents_.keys.VisitBucket(cursor, [&](const Entry* entry) {
      ++entries;
      if (!entry->ExpiredAt(now_ms_)) visit(*entry);
    });
    ++buckets;
  } while (cursor != 0 && entries < count && buckets / kBucketsPerEntry < count);
  return cursor;
}

void Keyspace::VisitAll(const std::function<void(const Entry&)>& visit) const {
  uint64_t cursor = 0;
  do {
    cursor = contents_.keys.VisitBucket(cursor, [&](const Entry* entry) { visit(*entry); });
  } while (cursor != 0);
}

std::string Keyspace::RandomKey() {
  // Enough for a table that lost all but one in a thousand of its keys a moment ago.
  constexpr int kMaxBuckets = 4096;
  uint64_t cursor = random_();
  std::string chosen;
  for (int bucket = 0; bucket < kMaxBuckets && size() > 0; ++bucket) {
    uint64_t candidates = 0;
    const Entry* choice = nullptr;
    cursor = contents_.keys.VisitBucket(cursor, [&](const Entry* entry) {
      if (entry->ExpiredAt(now_ms_)) return;
      // Each of the bucket's entries replaces the choice so far with the chance that makes all
      // equal.
      if (random_() % ++candidates == 0) choice = entry;
    });
    if (choice != nullptr) return std::string(choice->key());
  }
  return std::string();
}

int64_t Keyspace::average_ttl_ms() const {
  constexpr int kMaxBuckets = 64;
  uint64_t cursor = expiry_cursor_;
  int64_t sum_ms = 0;
  int64_t entries = 0;
  for (int bucket = 0; bucket < kMaxBuckets; ++bucket) {
    cursor = contents_.expiring.VisitBucket(cursor, [&](const Entry* entry) {
      if (entry->ExpiredAt(now_ms_)) return;
      // Each takes its share at once: the sum of expiries far in the future could overflow.
      ++entries;
      sum_ms += (entry->expire_at_ms() - now_ms_ - sum_ms) / entries;
    });
  }
  return sum_ms;
}

size_t Keyspace::memory_bytes() const {
  size_t bytes = contents_.memory_bytes();
  for (const auto& contents : detached_) bytes += contents->memory_bytes();
  return bytes + evicted_keys_.memory_bytes() + duel_.memory_bytes();
}

size_t Keyspace::table_bytes() const {
  size_t bytes = contents_.memory_bytes() - contents_.entry_bytes;
  for (const auto& contents : detached_) bytes += contents->memory_bytes() - contents->entry_bytes;
  return bytes + evicted_keys_.memory_bytes();
}

size_t Keyspace::mapped_bytes() const {
  size_t bytes = contents_.keys.mapped_bytes() + contents_.expiring.mapped_bytes();
  for (const auto& contents : detached_) {
    bytes += contents->keys.mapped_bytes() + contents->expiring.mapped_bytes();
  }
  return bytes;
}

// --- Writing ---

void Keyspace::Set(KeyRef key, std::string_view value, const Expiry& expiry) {
  Entry* present = Present(key);
  const bool own = IsViewOf(present, key.key) || IsViewOf(present, value);
  const Entry* entry = Store(key, present, value, expiry);
  if (sink_ == nullptr) return;
  // What was a view of the entry that was replaced is gone with it. Anything else is told as it
  // came: to read back what was just written would wait for its cache line to arrive, for most keys
  // from memory.
  if (own) return sink_->Set(entry->key(), entry->value(), expiry);
  sink_->Set(key.key, value, expiry);
}

void Keyspace::SetKeepExpiry(KeyRef key, std::string_view value) {
  Entry* present = Present(key);
  // The expiry that has passed is gone with its value: this is a new key.
  const bool keep = present != nullptr && !present->ExpiredAt(now_ms_);
  const Entry* entry = Store(key, present, value, keep ? AfterUse(present->expiry()) : Expiry());
  if (sink_ != nullptr) sink_->Set(entry->key(), entry->value(), entry->expiry());
}

size_t Keyspace::SetRange(KeyRef key, size_t offset, std::string_view bytes) {
  Entry* entry = StoreRange(key, EntryForWrite(key), offset, bytes);
  const std::string_view value = entry->value();
  if (sink_ != nullptr) {
    sink_->SetRange(entry->key(), offset, value.substr(offset, bytes.size()));
  }
  if (entry->has_extras()) RenewIdle(entry);
  return value.size();
}

bool Keyspace::Delete(KeyRef key, DeleteCause cause) {
  Entry* entry = EntryForWrite(key);
  if (entry == nullptr) return false;
  Remove(key.hash, entry, cause);
  return true;
}

bool Keyspace::SetExpiry(KeyRef key, const Expiry& expiry) {
  Entry* present = EntryForWrite(key);
  if (present == nullptr) return false;
  const Entry* entry = StoreExpiry(key.hash, present, expiry);
  if (sink_ != nullptr) sink_->Expire(entry->key(), expiry);
  return true;
}

void Keyspace::Flush() {
  DetachContents();
  if (sink_ != nullptr) sink_->Flush();
}

// --- Applying ---

void Keyspace::ApplySet(KeyRef key, std::string_view value, const Expiry& expiry) {
  Store(key, Present(key), value, expiry);
}

void Keyspace::ApplyDelete(KeyRef key) {
  Entry* entry = Present(key);
  if (entry == nullptr) return;
  Unlink(key.hash, entry);
  Entry::Destroy(entry);
}

void Keyspace::ApplyExpiry(KeyRef key, const Expiry& expiry) {
  if (Entry* entry = Present(key)) StoreExpiry(key.hash, entry, expiry);
}

void Keyspace::ApplySetRange(KeyRef key, size_t offset, std::string_view bytes) {
  Entry* present = Present(key);
  if (present != nullptr && present->cold()) {
    if (!WarmNow(key, present->location())) return;
    present = Present(key);  // Another than the cold one.
  }
  StoreRange(key, present, offset, bytes);
}

void Keyspace::ApplyFlush() { DetachContents(); }

// --- The changes themselves ---

Entry* Keyspace::Store(KeyRef key, Entry* present, std::string_view value, const Expiry& expiry) {
  if (present != nullptr) {
    ShowPreImage(present);
    const size_t bytes_before = present->memory_bytes();
    if (present->TryAssign(value, expiry)) {
      contents_.entry_bytes += present->memory_bytes() - bytes_before;
      Touch(key.hash, present);
      return present;
    }
  }
  return Install(key.hash, present, Entry::Create(key.key, value, expiry));
}

Entry* Keyspace::StoreRange(KeyRef key, Entry* present, size_t offset, std::string_view bytes) {
  const std::string_view before = present != nullptr ? present->value() : std::string_view();
  const size_t size = std::max(before.size(), offset + bytes.size());
  Entry* entry = present;
  if (present != nullptr) ShowPreImage(present);
  if (present == nullptr || !present->TryResize(size)) {
    entry = Entry::CreateAppended(key.key, size, present != nullptr ? present->expiry() : Expiry());
    if (!before.empty()) std::memcpy(entry->mutable_value(), before.data(), before.size());
  }
  char* value = entry->mutable_value();
  if (offset > before.size()) std::memset(value + before.size(), 0, offset - before.size());
  if (!bytes.empty()) std::memmove(value + offset, bytes.data(), bytes.size());
  if (entry != present) return Install(key.hash, present, entry);
  Touch(key.hash, entry);
  return entry;
}

Entry* Keyspace::StoreExpiry(uint64_t hash, Entry* present, const Expiry& expiry) {
  if (present->expiry() == expiry) return present;
  ShowPreImage(present);
  if (present->HasRoomFor(expiry)) {
    present->ChangeExpiry(expiry);
    return present;
  }
  return Install(hash, present, Entry::CloneWithExpiry(*present, expiry));
}

Entry* Keyspace::Install(uint64_t hash, Entry* present, Entry* fresh) {
  if (present != nullptr) {
    fresh->set_use(present->use());
    Touch(hash, fresh);
  } else {
    fresh->set_use(FirstUse(hash));
  }
  fresh->set_mark(contents_.mark);  // Born seen; what it replaces has been shown.
  if (present == nullptr) {
    contents_.entry_bytes += fresh->memory_bytes();
    contents_.keys.Insert(hash, fresh);
    if (fresh->has_expiry()) contents_.expiring.Insert(hash, fresh);
    return fresh;
  }
  // With another expiry it is the same value still, at the same place.
  if (present->cold() && !fresh->cold()) LeaveLocation(contents_, *present);
  Exchange(hash, present, fresh);
  return fresh;
}

void Keyspace::Exchange(uint64_t hash, Entry* present, Entry* fresh) {
  contents_.entry_bytes += fresh->memory_bytes();
  contents_.keys.Replace(hash, present, fresh);
  if (present->has_expiry() && fresh->has_expiry()) {
    contents_.expiring.Replace(hash, present, fresh);
  } else if (present->has_expiry()) {
    contents_.expiring.Erase(hash, present);
  } else if (fresh->has_expiry()) {
    contents_.expiring.Insert(hash, fresh);
  }
  contents_.entry_bytes -= present->memory_bytes();
  Entry::Destroy(present);
}

void Keyspace::Unlink(uint64_t hash, Entry* entry) {
  ShowPreImage(entry);
  contents_.keys.Erase(hash, entry);
  if (entry->has_expiry()) contents_.expiring.Erase(hash, entry);
  contents_.entry_bytes -= entry->memory_bytes();
  if (entry->cold()) LeaveLocation(contents_, *entry);
}

void Keyspace::Remove(uint64_t hash, Entry* entry, DeleteCause cause) {
  Unlink(hash, entry);
  if (cause == DeleteCause::kExpired && entry->has_extras()) {
    const Expiry expiry = entry->expiry();
    if (expiry.at_ms < expiry.extras.last_moment_ms()) ++stats_.expired_idle;
  }
  if (sink_ != nullptr) sink_->Delete(entry->key(), cause);
  Entry::Destroy(entry);
}

void Keyspace::DetachContents() {
  if (size() == 0) return;
  auto contents = std::make_unique<Contents>(hash_function_);
  contents->Swap(contents_);
  if (walked_ == &contents_) {
    walked_ = contents.get();
  } else if (FreeSome(*contents, kFreedAtOnce)) {
    return;
  }
  detached_.push_back(std::move(contents));
}

}  // namespace tidemark::cache
