// CRC32C (Castagnoli), the checksum of frames and of everything else that we store or send.
//
// Uses the CPU's CRC32 instruction where there is one (SSE4.2, or ARMv8's CRC extension), found out
// at run time, and a table version elsewhere. Both give the checksum of RFC 3720, appendix B.4.

#ifndef TIDEMARK_BASE_CRC32C_H_
#define TIDEMARK_BASE_CRC32C_H_

#include <cstdint>
#include <string_view>

namespace tidemark {

// The checksum of what `crc` is the checksum of, followed by `bytes`: Crc32c(b, Crc32c(a)) is the
// checksum of a and b put together. 0 is the checksum of nothing. Any thread.
uint32_t Crc32c(std::string_view bytes, uint32_t crc = 0);

// The two versions behind Crc32c, for the tests and the benchmark.
namespace crc32c_internal {

bool CpuHasCrc32c();
// Requires: CpuHasCrc32c().
uint32_t HardwareCrc32c(std::string_view bytes, uint32_t crc);
uint32_t PortableCrc32c(std::string_view bytes, uint32_t crc);

}  // namespace crc32c_internal
}  // namespace tidemark

#endif  // TIDEMARK_BASE_CRC32C_H_
