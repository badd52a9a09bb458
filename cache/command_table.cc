#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "base/text.h"
#include "cache/command.h"

namespace tidemark::cache {
namespace {

static_assert(std::endian::native == std::endian::little,
              "Fold() reads names as little-endian words");

template <typename Word>
uint64_t Load(const char* bytes) {
  Word word;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

// The first `size` bytes as one word, zero after them; size is at most 8. Short names are read as
// two parts that overlap, never past their end.
uint64_t LoadUpTo8(const char* bytes, size_t size) {
  if (size == 8) return Load<uint64_t>(bytes);
  if (size >= 4)
    return Load<uint32_t>(bytes) | Load<uint32_t>(bytes + size - 4) << (8 * (size - 4));
  if (size >= 2)
    return Load<uint16_t>(bytes) | Load<uint16_t>(bytes + size - 2) << (8 * (size - 2));
  return size == 1 ? static_cast<unsigned char>(bytes[0]) : 0;
}

// Turns 'A' to 'Z' into 'a' to 'z' in each of the eight bytes.
constexpr uint64_t LowerCase(uint64_t word) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kTops = kOnes * 0x80;
  const uint64_t low_bits = word & ~kTops;
  // Adding what is missing to 0x80 sets a byte's top bit if it is at least 'A', or past 'Z'.
  const uint64_t from_a = low_bits + kOnes * (0x80 - 'A');
  const uint64_t past_z = low_bits + kOnes * (0x80 - 'Z' - 1);
  const uint64_t upper = from_a & ~past_z & ~word & kTops;
  return word | upper >> 2;
}
static_assert(LowerCase(0x5b5a41407a617fc1) == 0x5b7a61407a617fc1);

}  // namespace

CommandTable::FoldedName CommandTable::Fold(std::string_view name) {
  if (name.size() <= 8) return {LowerCase(LoadUpTo8(name.data(), name.size())), 0};
  const size_t rest = std::min<size_t>(name.size() - 8, 8);
  return {LowerCase(Load<uint64_t>(name.data())), LowerCase(LoadUpTo8(name.data() + 8, rest))};
}

size_t CommandTable::FirstSlot(const FoldedName& name) const {
  constexpr uint64_t kOdd = 0x9e3779b97f4a7c15;  // 2^64 over the golden ratio.
  const uint64_t mixed = (name.low ^ std::rotl(name.high, 31)) * kOdd;
  return (mixed >> 32) & (slots_.size() - 1);
}

const CommandSpec* CommandTable::Find(std::string_view name) const {
  if (slots_.empty()) return nullptr;
  const FoldedName folded = Fold(name);
  for (size_t i = FirstSlot(folded);; i = (i + 1) & (slots_.size() - 1)) {
    const Slot& slot = slots_[i];
    if (slot.spec == nullptr) return nullptr;
    if (slot.name != folded || slot.spec->name.size() != name.size()) continue;
    if (name.size() <= 16 || EqualsIgnoreCase(slot.spec->name.substr(16), name.substr(16))) {
      return slot.spec;
    }
  }
}

void CommandTable::Index(const CommandSpec* spec) {
  const FoldedName folded = Fold(spec->name);
  size_t i = FirstSlot(folded);
  while (slots_[i].spec != nullptr) i = (i + 1) & (slots_.size() - 1);
  slots_[i] = {folded, spec};
}

void CommandTable::Add(std::span<const CommandSpec> rows) {
  const auto assign_id = [this](CommandSpec& spec) {
    spec.id = size();
    by_id_.push_back(&spec);
  };
  for (const CommandSpec& row : rows) {
    CHECK(Find(row.name) == nullptr);
    CommandSpec& spec = rows_.emplace_back(row);
    assign_id(spec);
    if (!row.subcommands.empty()) {
      auto& copies = subcommands_.emplace_back(row.subcommands.begin(), row.subcommands.end());
      for (CommandSpec& copy : copies) assign_id(copy);
      spec.subcommands = copies;
    }
    if (rows_.size() * 4 > slots_.size()) {
      slots_.assign(std::bit_ceil(rows_.size() * 8), Slot{});
      for (const CommandSpec& each : rows_) Index(&each);
    } else {
      Index(&spec);
    }
  }
}

int CommandTable::size() const { return static_cast<int>(by_id_.size()); }

const CommandSpec& CommandTable::ById(int id) const { return *by_id_[static_cast<size_t>(id)]; }

const CommandSpec* CommandTable::FindSubcommand(const CommandSpec& parent, Args args) {
  if (parent.subcommands.empty() || args.size() < 2) return &parent;
  const size_t prefix = parent.name.size() + 1;  // "container|"
  for (const CommandSpec& subcommand : parent.subcommands) {
    if (EqualsIgnoreCase(subcommand.name.substr(prefix), args[1])) return &subcommand;
  }
  return nullptr;
}

std::vector<const CommandSpec*> CommandTable::All() const {
  std::vector<const CommandSpec*> all;
  for (const CommandSpec& row : rows_) all.push_back(&row);
  std::sort(all.begin(), all.end(), [](auto* a, auto* b) { return a->name < b->name; });
  return all;
}

}  // namespace tidemark::cache
