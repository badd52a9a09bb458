// The main of a fuzz target in an ordinary build: feeds the target every corpus file named in argv,
// then a fixed number of mutations of each. Seeded by the file's place in argv, so that a failure
// repeats.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr int kMutationsPerFile = 2000;

void Feed(const std::string& bytes) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
}

// One to four random edits: flip a bit, set a byte, cut, repeat a piece.
std::string Mutate(std::string bytes, std::mt19937_64& random) {
  for (uint64_t edits = 1 + random() % 4; edits > 0; --edits) {
    if (bytes.empty()) bytes.push_back(static_cast<char>(random()));
    const size_t at = random() % bytes.size();
    switch (random() % 5) {
      case 0:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << (random() % 8)));
        break;
      case 1:
        bytes[at] = static_cast<char>(random());
        break;
      case 2:
        bytes.resize(at);
        break;
      case 3:
        bytes.insert(at, bytes.substr(at, random() % 16));
        break;
      default:
        bytes[at] = "\x00\xff\x7f\x80\r\n"[random() % 6];
        break;
    }
  }
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  Feed("");
  for (int i = 1; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    if (!file) {
      std::fprintf(stderr, "cannot read corpus file %s\n", argv[i]);
      return 1;
    }
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    Feed(bytes);
    std::mt19937_64 random(static_cast<uint64_t>(i));
    for (int n = 0; n < kMutationsPerFile; ++n) Feed(Mutate(bytes, random));
  }
  std::printf("%d corpus files, %d mutations each\n", argc - 1, kMutationsPerFile);
}
