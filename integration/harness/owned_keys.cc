#include "integration/harness/owned_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/key_hash.h"

namespace tidemark::integration {
namespace {

constexpr int kKeys = 20;
constexpr int kCounters = 4;  // The last of them: these alone are counted on.
constexpr int64_t kFarMs = 10'000'000;

int ShardIndex(const std::string& key, int shards) {
  return ShardOf(key, KeyHash(key), shards).value();
}

std::string Show(const OwnedKeys::State& state) {
  if (!state.value) return "nothing";
  return fmt::format("'{:.40}' ({} bytes, expires at {})", *state.value, state.value->size(),
                     state.expire_at_ms);
}

}  // namespace

OwnedKeys::OwnedKeys(std::string name, int shards, uint64_t seed)
    : name_(std::move(name)), random_(seed), shards_(shards) {
  for (int i = 0; i < kKeys; ++i) {
    const bool counter = i >= kKeys - kCounters;
    names_.push_back(fmt::format("{}:{}{}", name_, counter ? "counter" : "key", i));
    keys_.push_back({.shard = ShardIndex(names_.back(), shards), .changes = {{0, {}}}});
  }
}

std::string OwnedKeys::NewValue() {
  // Now and then a big one, so that segments fill up.
  const size_t bytes = static_cast<size_t>(Draw(40) == 0 ? Draw(20'000) : Draw(150));
  return fmt::format("{}.{}.", name_, ++values_) + std::string(bytes, 'v');
}

std::vector<std::string> OwnedKeys::Next(int64_t now_ms) {
  ++sent_;
  const size_t key = DrawKey();
  if (key >= kKeys - kCounters) {
    State state = Now(key);
    const int by = 1 + Draw(9);
    state.value = std::to_string(std::stoll(state.value.value_or("0")) + by);
    Set(key, std::move(state));
    return {"INCRBY", names_[key], std::to_string(by)};
  }
  const size_t other = static_cast<size_t>(Draw(kKeys - kCounters));
  if (other != key && Draw(3) == 0) return Spanning(key, other);
  return Single(key, now_ms);
}

std::vector<std::string> OwnedKeys::Single(size_t key, int64_t now_ms) {
  const std::string& name = names_[key];
  State state = Now(key);
  const int64_t far = now_ms + kFarMs + Draw(1'000'000);
  const std::string far_text = std::to_string(far);
  std::string value = NewValue();
  const bool may_grow = state.value && state.value->size() < 30'000;
  switch (Draw(10)) {
    case 0:
      if (!may_grow) break;
      *state.value += value;
      Set(key, std::move(state));
      return {"APPEND", name, value};
    case 1: {
      if (!may_grow) break;
      const size_t at = static_cast<size_t>(Draw(static_cast<int>(state.value->size()) + 10));
      if (state.value->size() < at + value.size()) state.value->resize(at + value.size(), '\0');
      state.value->replace(at, value.size(), value);
      Set(key, std::move(state));
      return {"SETRANGE", name, std::to_string(at), value};
    }
    case 2:
      Set(key, {});
      return {"GETDEL", name};
    case 3:
      if (!state.value) break;
      Set(key, {state.value, far});
      return {"PEXPIREAT", name, far_text};
    case 4:
      if (!state.value) break;
      Set(key, {state.value, 0});
      return {"PERSIST", name};
    case 5:
      Set(key, {value, far});
      return {"SET", name, value, "PXAT", far_text};
    case 6:
      // Of no account: it may be gone at any moment, and must be in the end.
      return {"SET", name_ + ":brief", value, "PX", std::to_string(1 + Draw(40))};
    default:
      break;
  }
  Set(key, {value, 0});
  return {"SET", name, value};
}

std::vector<std::string> OwnedKeys::Spanning(size_t a, size_t b) {
  const auto span = [&](const std::vector<size_t>& all) {
    std::set<int> shards;
    for (const size_t key : all) shards.insert(keys_[key].shard);
    if (shards.size() > 1) spanning_.push_back({sent_, {shards.begin(), shards.end()}});
  };
  const int kind = Draw(4);
  if (kind == 0 && Now(a).value) {
    span({a, b});
    Set(b, Now(a));
    Set(a, {});
    return {"RENAME", names_[a], names_[b]};
  }
  if (kind == 1 && Now(a).value) {
    span({b});
    Set(b, Now(a));
    return {"COPY", names_[a], names_[b], "REPLACE"};
  }
  if (kind == 2) {
    std::vector<size_t> there;  // What deletes nothing on a shard is no part of a transaction.
    if (Now(a).value) there.push_back(a);
    if (Now(b).value) there.push_back(b);
    span(there);
    Set(a, {});
    Set(b, {});
    return {"DEL", names_[a], names_[b]};
  }
  std::vector<std::string> command = {"MSET"};
  std::vector<size_t> all = {a, b};
  for (size_t key = 0; key < kKeys - kCounters; key += 5) {
    if (key != a && key != b) all.push_back(key);
  }
  for (const size_t key : all) {
    const std::string value = NewValue();
    command.push_back(names_[key]);
    command.push_back(value);
    Set(key, {value, 0});
  }
  span(all);
  return command;
}

void OwnedKeys::FlushAll() {
  ++sent_;
  for (size_t key = 0; key < keys_.size(); ++key) Set(key, {});
}

void OwnedKeys::MustKeep(int64_t commands) { must_keep_ = std::max(must_keep_, commands); }

std::string OwnedKeys::Explain(const std::vector<State>& found,
                               std::vector<Possible>& possible) const {
  const size_t end = static_cast<size_t>(sent_) + 1;
  possible.assign(static_cast<size_t>(shards_), Possible(end, true));
  for (Possible& p : possible) std::fill_n(p.begin(), must_keep_, false);
  for (size_t i = 0; i < keys_.size(); ++i) {
    const std::vector<Change>& changes = keys_[i].changes;
    Possible& shard = possible[static_cast<size_t>(keys_[i].shard)];
    bool ever = false;
    for (size_t c = 0; c < changes.size(); ++c) {
      const size_t from = static_cast<size_t>(changes[c].command);
      const size_t to = c + 1 < changes.size() ? static_cast<size_t>(changes[c + 1].command) : end;
      const bool same = changes[c].state == found[i];
      ever = ever || (same && to > static_cast<size_t>(must_keep_));
      if (!same) std::fill(shard.begin() + from, shard.begin() + to, false);
    }
    const bool any = std::find(shard.begin(), shard.end(), true) != shard.end();
    if (any) continue;
    return fmt::format(
        "{} on shard {} holds {}, {}: {} commands were sent, {} replied, {} must be there; the "
        "last left {}",
        names_[i], keys_[i].shard, Show(found[i]),
        ever ? "which does not go with the shard's other keys"
             : "which it never held since what must be there",
        sent_, replied_, must_keep_, Show(changes.back().state));
  }
  return "";
}

std::string OwnedKeys::Settle(const std::vector<State>& found) {
  std::vector<Possible> possible;
  if (std::string fault = Explain(found, possible); !fault.empty()) return fault;
  const auto certainly = [&](int shard, int64_t command, bool in) {
    const Possible& p = possible[static_cast<size_t>(shard)];
    const auto middle = p.begin() + command;
    return in ? std::find(p.begin(), middle, true) == middle
              : std::find(middle, p.end(), true) == p.end();
  };
  for (const auto& [command, shards] : spanning_) {
    const auto is = [&, c = command, &on = shards](bool in) {
      return std::any_of(on.begin(), on.end(), [&](int shard) { return certainly(shard, c, in); });
    };
    if (is(true) && is(false)) {
      return fmt::format("{}: command {} of {} came back on some of its shards and not on all",
                         name_, command, sent_);
    }
  }
  for (size_t i = 0; i < keys_.size(); ++i) keys_[i].changes = {{0, found[i]}};
  spanning_.clear();
  sent_ = replied_ = must_keep_ = 0;
  return "";
}

}  // namespace tidemark::integration
