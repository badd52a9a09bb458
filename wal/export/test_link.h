// TestLink is a consumer over a real socket that blocks: for tests.
//
// Threading: one thread at a time.

#ifndef TIDEMARK_WAL_EXPORT_TEST_LINK_H_
#define TIDEMARK_WAL_EXPORT_TEST_LINK_H_

#include <gtest/gtest.h>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/write.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "wal/export/export_consumer.h"

namespace tidemark::wal {

class TestLink {
 public:
  struct Options {
    std::string name;
    std::string token;
    uint16_t port = 0;
  };
  explicit TestLink(const Options& options) : options_(options), socket_(context_) {}
  virtual ~TestLink() = default;

  // False: no connection.
  bool Connect(ExportStart start) {
    asio::error_code error;
    socket_ = asio::ip::tcp::socket(context_);
    socket_.connect({asio::ip::address_v4::loopback(), options_.port}, error);
    if (error) return false;
    Begin(std::move(start), false);
    return true;
  }
  // A connection that the node made.
  void Take(asio::ip::tcp::socket socket, ExportStart start) {
    socket_ = std::move(socket);
    Begin(std::move(start), true);
  }
  void Disconnect() { socket_.close(); }

  // Reads what has come, up to `max_bytes`, waiting for the first. False: the stream is over.
  bool ReadSome(size_t max_bytes = 64 << 10) {
    std::string bytes(max_bytes, '\0');
    asio::error_code error;
    bytes.resize(socket_.read_some(asio::buffer(bytes), error));
    if (error) return false;
    std::string_view input = bytes;
    while (true) {
      ExportEvent event;
      const absl::StatusOr<bool> got = consumer_->Next(&input, &event, NowMs());
      EXPECT_TRUE(got.ok()) << got.status();
      if (!got.ok()) return false;
      if (!*got) break;
      Note(event);
      OnEvent(event);
    }
    Flush();
    return true;
  }
  void Acknowledge() {
    consumer_->Acknowledge(NowMs());
    Flush();
  }

  bool has_cursor() const { return consumer_ != nullptr && consumer_->has_cursor(); }
  const ExportPosition& cursor() const { return consumer_->cursor(); }
  size_t records() const { return records_; }  // Of frames of mutations.
  wire::Refuse::Code refusal() const { return refusal_; }
  wire::Goodbye::Code goodbye() const { return goodbye_; }

 protected:
  virtual void OnEvent(const ExportEvent& event) {}

 private:
  static int64_t NowMs() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }

  void Begin(ExportStart start, bool dialled) {
    consumer_ = std::make_unique<ExportConsumer>(ExportConsumer::Options{.name = options_.name,
                                                                         .token = options_.token,
                                                                         .start = std::move(start),
                                                                         .dialled = dialled},
                                                 NowMs());
    Flush();
  }
  void Flush() {
    std::vector<std::string_view> pieces;
    for (consumer_->Gather(1, &pieces); !pieces.empty(); consumer_->Gather(1, &pieces)) {
      asio::error_code error;
      asio::write(socket_, asio::buffer(pieces[0].data(), pieces[0].size()), error);
      if (error) return;
      consumer_->OnWritten(pieces[0].size());
      pieces.clear();
    }
  }
  void Note(const ExportEvent& event) {
    if (const auto* changes = std::get_if<Changes>(&event)) {
      records_ += changes->frame->record_count();
    } else if (const auto* refused = std::get_if<StreamRefused>(&event)) {
      refusal_ = refused->code;
    } else if (const auto* ended = std::get_if<StreamEnded>(&event)) {
      goodbye_ = ended->code;
    }
  }

  const Options options_;
  asio::io_context context_;
  asio::ip::tcp::socket socket_;
  std::unique_ptr<ExportConsumer> consumer_;
  size_t records_ = 0;
  wire::Refuse::Code refusal_ = wire::Refuse::CODE_UNKNOWN;
  wire::Goodbye::Code goodbye_ = wire::Goodbye::CODE_UNKNOWN;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_EXPORT_TEST_LINK_H_
