// Value is a reply as an embedding program gets it: a small tree.

#ifndef TIDEMARK_CACHE_VALUE_H_
#define TIDEMARK_CACHE_VALUE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/reply.h"

namespace tidemark::cache {

struct Value {
  enum class Type {
    kNull,
    kStatus,
    kError,
    kInteger,
    kString,
    kDouble,
    kBoolean,
    kArray,
    kMap,
    kSet
  };

  static Value Error(std::string_view text) {
    return {.type = Type::kError, .text = std::string(text)};
  }

  bool is_null() const { return type == Type::kNull; }
  bool is_error() const { return type == Type::kError; }

  friend bool operator==(const Value&, const Value&) = default;

  Type type = Type::kNull;
  std::string text = {};             // kStatus, kError, kString.
  int64_t integer = 0;               // kInteger; kBoolean as 0 or 1.
  double number = 0;                 // kDouble.
  std::vector<Value> elements = {};  // kArray, kSet; kMap: each key followed by its value.
};

// For logs and examples, as redis-cli would write it on one line: "OK", (integer) 1, ["a", (nil)].
std::string ToString(const Value& value);

// Makes values out of replies.
class ValueBuilder final : public ReplyBuilder {
 public:
  // `take` gets each reply when it is complete.
  explicit ValueBuilder(std::function<void(Value)> take) : take_(std::move(take)) {}

  void Status(std::string_view text) override { AddText(Value::Type::kStatus, text); }
  void Error(std::string_view text) override {
    CountError();
    AddText(Value::Type::kError, text);
  }
  void Integer(int64_t value) override { Add({.type = Value::Type::kInteger, .integer = value}); }
  void Bulk(std::string_view bytes) override { AddText(Value::Type::kString, bytes); }
  void BulkRef(const BufferRef& owner, std::string_view bytes) override { Bulk(bytes); }
  void Null() override { Add({}); }
  void NullArray() override { Add({}); }
  void Double(double value) override { Add({.type = Value::Type::kDouble, .number = value}); }
  void Boolean(bool value) override { Add({.type = Value::Type::kBoolean, .integer = value}); }
  void Verbatim(std::string_view format, std::string_view text) override { Bulk(text); }
  void ArrayHeader(size_t count) override { Open(Value::Type::kArray, count); }
  void MapHeader(size_t pairs) override { Open(Value::Type::kMap, 2 * pairs); }
  void SetHeader(size_t count) override { Open(Value::Type::kSet, count); }

 private:
  struct Level {
    Value value;
    size_t missing = 0;  // Elements still to come; at least 1.
  };

  void AddText(Value::Type type, std::string_view text) {
    Add({.type = type, .text = std::string(text)});
  }
  void Add(Value value);
  void Open(Value::Type type, size_t elements);

  const std::function<void(Value)> take_;
  std::vector<Level> open_;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_VALUE_H_
