// Any bytes are a snapshot's manifest or an error; a manifest that was taken is encoded to the same
// again. The input is the message: the envelope's checksum would keep the fuzzer out.

#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "wal/format/envelope.h"
#include "wal/snapshot_manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidemark::wal;
  if (size > kMaxEnvelopeFileBytes - kEnvelopeBytes) return 0;
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  CHECK(!DecodeSnapshotManifest(message).ok() || size >= kEnvelopeBytes);  // And without one.
  const auto manifest = DecodeSnapshotManifest(Seal(EnvelopeKind::kSnapshotManifest, message));
  if (!manifest.ok()) return 0;
  const auto again = DecodeSnapshotManifest(EncodeSnapshotManifest(*manifest));
  CHECK(again.ok() && *again == *manifest);
  return 0;
}
