// RespReply turns a command's reply events into RESP bytes in a connection's output, or into
// nothing while the client asked for silence (CLIENT REPLY).

#ifndef TIDEMARK_SERVER_RESP_REPLY_H_
#define TIDEMARK_SERVER_RESP_REPLY_H_

#include <string_view>

#include "cache/reply.h"
#include "cache/reply_tape.h"
#include "net/resp_writer.h"
#include "server/error_counts.h"

namespace tidemark::server {

// Threading: its shard's. Borrows the writer and the counters.
class RespReply final : public cache::ReplyBuilder {
 public:
  RespReply(net::RespWriter& writer, ErrorCounts& errors) : writer_(&writer), errors_(&errors) {}

  void set_muted(bool muted) { muted_ = muted; }
  // What is answered from here on goes onto `tape`, which is borrowed, until RecordOn(nullptr).
  // Requires: not muted.
  void RecordOn(cache::ReplyTape* tape) {
    tape_ = tape;
    muted_ = tape != nullptr;
  }
  // What is answered is for nobody. What is recorded is not: it is answered a little later.
  bool muted() const { return muted_ && tape_ == nullptr; }

  void Status(std::string_view text) override {
    if (!muted_) return writer_->Status(text);
    if (tape_ != nullptr) tape_->Status(text);
  }
  void Error(std::string_view text) override {
    CountError();
    errors_->Count(text);
    if (!muted_) return writer_->Error(text);
    if (tape_ != nullptr) tape_->Error(text);
  }
  void Integer(int64_t value) override {
    if (!muted_) return writer_->Integer(value);
    if (tape_ != nullptr) tape_->Integer(value);
  }
  void Bulk(std::string_view bytes) override {
    if (!muted_) return writer_->Bulk(bytes);
    if (tape_ != nullptr) tape_->Bulk(bytes);
  }
  void BulkRef(const BufferRef& owner, std::string_view bytes) override {
    if (!muted_) return writer_->BulkRef(owner, bytes);
    if (tape_ != nullptr) tape_->BulkRef(owner, bytes);
  }
  void Null() override {
    if (!muted_) return writer_->Null();
    if (tape_ != nullptr) tape_->Null();
  }
  void NullArray() override {
    if (!muted_) return writer_->NullArray();
    if (tape_ != nullptr) tape_->NullArray();
  }
  void Double(double value) override {
    if (!muted_) return writer_->Double(value);
    if (tape_ != nullptr) tape_->Double(value);
  }
  void Boolean(bool value) override {
    if (!muted_) return writer_->Boolean(value);
    if (tape_ != nullptr) tape_->Boolean(value);
  }
  void Verbatim(std::string_view format, std::string_view text) override {
    if (!muted_) return writer_->Verbatim(format, text);
    if (tape_ != nullptr) tape_->Verbatim(format, text);
  }
  void ArrayHeader(size_t count) override {
    if (!muted_) return writer_->ArrayHeader(count);
    if (tape_ != nullptr) tape_->ArrayHeader(count);
  }
  void MapHeader(size_t pairs) override {
    if (!muted_) return writer_->MapHeader(pairs);
    if (tape_ != nullptr) tape_->MapHeader(pairs);
  }
  void SetHeader(size_t count) override {
    if (!muted_) return writer_->SetHeader(count);
    if (tape_ != nullptr) tape_->SetHeader(count);
  }

 private:
  net::RespWriter* writer_;
  ErrorCounts* errors_;
  bool muted_ = false;  // Nothing to the writer; so that not being muted is one look.
  cache::ReplyTape* tape_ = nullptr;
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_RESP_REPLY_H_
