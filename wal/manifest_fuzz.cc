// Whatever the bytes, DecodeManifest takes them or refuses them, and what it takes it writes back.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "wal/format/envelope.h"
#include "wal/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidemark::wal;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)DecodeManifest(bytes).ok();
  // Past the checksum, which chance does not get right.
  const absl::StatusOr<Manifest> manifest =
      DecodeManifest(Seal(EnvelopeKind::kManifest, bytes.substr(0, size_t{1} << 20)));
  if (manifest.ok()) CHECK(*DecodeManifest(EncodeManifest(*manifest)) == *manifest);
  return 0;
}
