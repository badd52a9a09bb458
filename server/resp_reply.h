// RespReply turns a command's reply events into RESP bytes in a connection's output, or into
// nothing while the client asked for silence (CLIENT REPLY).

#ifndef TIDEMARK_SERVER_RESP_REPLY_H_
#define TIDEMARK_SERVER_RESP_REPLY_H_

#include <string_view>

#include "cache/reply.h"
#include "net/resp_writer.h"
#include "server/error_counts.h"

namespace tidemark::server {

// Threading: its shard's. Borrows the writer and the counters.
class RespReply final : public cache::ReplyBuilder {
 public:
  RespReply(net::RespWriter& writer, ErrorCounts& errors) : writer_(&writer), errors_(&errors) {}

  void set_muted(bool muted) { muted_ = muted; }
  bool muted() const { return muted_; }

  void Status(std::string_view text) override {
    if (!muted_) writer_->Status(text);
  }
  void Error(std::string_view text) override {
    CountError();
    errors_->Count(text);
    if (!muted_) writer_->Error(text);
  }
  void Integer(int64_t value) override {
    if (!muted_) writer_->Integer(value);
  }
  void Bulk(std::string_view bytes) override {
    if (!muted_) writer_->Bulk(bytes);
  }
  void BulkRef(const BufferRef& owner, std::string_view bytes) override {
    if (!muted_) writer_->BulkRef(owner, bytes);
  }
  void Null() override {
    if (!muted_) writer_->Null();
  }
  void NullArray() override {
    if (!muted_) writer_->NullArray();
  }
  void Double(double value) override {
    if (!muted_) writer_->Double(value);
  }
  void Boolean(bool value) override {
    if (!muted_) writer_->Boolean(value);
  }
  void Verbatim(std::string_view format, std::string_view text) override {
    if (!muted_) writer_->Verbatim(format, text);
  }
  void ArrayHeader(size_t count) override {
    if (!muted_) writer_->ArrayHeader(count);
  }
  void MapHeader(size_t pairs) override {
    if (!muted_) writer_->MapHeader(pairs);
  }
  void SetHeader(size_t count) override {
    if (!muted_) writer_->SetHeader(count);
  }

 private:
  net::RespWriter* writer_;
  ErrorCounts* errors_;
  bool muted_ = false;
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_RESP_REPLY_H_
