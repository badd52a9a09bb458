#include "wal/format/envelope.h"

#include <fmt/format.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/format/coding.h"

namespace tidemark::wal {
namespace {

constexpr size_t kVersionAt = 4, kZeroAt = 5, kMessageBytesAt = 8, kChecksumAt = 12;
static_assert(kChecksumAt + 4 == kEnvelopeBytes);

uint32_t Checksum(std::string_view file) {
  return Crc32c(file.substr(kEnvelopeBytes), Crc32c(file.substr(0, kChecksumAt)));
}

}  // namespace

std::string Seal(EnvelopeKind kind, std::string_view message) {
  CHECK(kEnvelopeBytes + message.size() <= kMaxEnvelopeFileBytes);
  std::string file(kEnvelopeBytes, '\0');
  file.append(message);
  char* p = file.data();
  StoreFixed(p, static_cast<uint32_t>(kind));
  StoreFixed(p + kVersionAt, kEnvelopeVersion);
  StoreFixed(p + kMessageBytesAt, static_cast<uint32_t>(message.size()));
  StoreFixed(p + kChecksumAt, Checksum(file));
  return file;
}

absl::StatusOr<std::string_view> Unseal(EnvelopeKind kind, std::string_view file) {
  if (file.size() < kEnvelopeBytes) {
    return absl::DataLossError(fmt::format("{} bytes, fewer than an envelope has", file.size()));
  }
  const char* p = file.data();
  if (LoadFixed<uint32_t>(p) != static_cast<uint32_t>(kind)) {
    return absl::DataLossError("byte 0: not a file of this kind");
  }
  if (LoadFixed<uint32_t>(p + kChecksumAt) != Checksum(file)) {
    return absl::DataLossError("byte 12: the checksum does not match");
  }
  const auto version = LoadFixed<uint8_t>(p + kVersionAt);
  if (version != kEnvelopeVersion) {
    return absl::InvalidArgumentError(
        fmt::format("byte 4: version {}; this reader knows {}", version, kEnvelopeVersion));
  }
  if ((LoadFixed<uint32_t>(p + kVersionAt) >> 8) != 0) {
    return absl::InvalidArgumentError(fmt::format("byte {}: not zero", kZeroAt));
  }
  const auto message_bytes = LoadFixed<uint32_t>(p + kMessageBytesAt);
  if (message_bytes != file.size() - kEnvelopeBytes) {
    return absl::DataLossError(fmt::format("byte 8: {} bytes where {} follow", message_bytes,
                                           file.size() - kEnvelopeBytes));
  }
  return file.substr(kEnvelopeBytes);
}

}  // namespace tidemark::wal
