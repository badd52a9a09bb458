// Questions: what does a short bulk reply cost, and from which size on is a reference cheaper than
// a copy? The second one writes each reply into a socket and reads it back, because more pieces
// cost the kernel, too. Unit: time of one reply.

#include <benchmark/benchmark.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "net/resp_writer.h"
#include "net/unique_fd.h"

namespace tidemark::net {
namespace {

void BM_Bulk64(benchmark::State& state) {
  ChunkPool pool;
  OutputBuffer output(pool);
  RespWriter writer(output);
  const std::string value(64, 'v');
  for (auto _ : state) {
    for (int i = 0; i < 32; ++i) writer.Bulk(value);
    output.Consume(output.size());
  }
  state.SetItemsProcessed(state.iterations() * 32);
}
BENCHMARK(BM_Bulk64);

template <typename Reply>
void SendReplies(benchmark::State& state, Reply&& reply) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return state.SkipWithError("socketpair");
  const UniqueFd sender(ends[0]), receiver(ends[1]);
  ChunkPool pool;
  OutputBuffer output(pool);
  RespWriter writer(output);
  const BufferRef value = Buffer::Copy(std::string(static_cast<size_t>(state.range(0)), 'v'));
  std::vector<char> received(256 * 1024);
  for (auto _ : state) {
    reply(writer, output, value);
    while (!output.empty()) {
      iovec pieces[64];
      msghdr message{};
      message.msg_iov = pieces;
      message.msg_iovlen = output.Gather(pieces);
      const ssize_t sent = ::sendmsg(sender.get(), &message, MSG_DONTWAIT);
      if (sent > 0) output.Consume(static_cast<size_t>(sent));
      benchmark::DoNotOptimize(::recv(receiver.get(), received.data(), received.size(), 0));
    }
  }
}

void BM_SendCopy(benchmark::State& state) {
  SendReplies(state, [](RespWriter& writer, OutputBuffer&, const BufferRef& value) {
    writer.Bulk(value->view());
  });
}
BENCHMARK(BM_SendCopy)->RangeMultiplier(2)->Range(1024, 128 * 1024);

void BM_SendReference(benchmark::State& state) {
  SendReplies(state, [](RespWriter& writer, OutputBuffer& output, const BufferRef& value) {
    writer.Raw("$10000\r\n");
    output.AppendRef(value, value->view());
    writer.Raw("\r\n");
  });
}
BENCHMARK(BM_SendReference)->RangeMultiplier(2)->Range(1024, 128 * 1024);

}  // namespace
}  // namespace tidemark::net
