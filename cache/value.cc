#include "cache/value.h"

#include <utility>

#include "fmt/format.h"

namespace tidemark::cache {

std::string ToString(const Value& value) {
  switch (value.type) {
    case Value::Type::kNull:
      return "(nil)";
    case Value::Type::kStatus:
      return value.text;
    case Value::Type::kError:
      return fmt::format("(error) {}", value.text);
    case Value::Type::kInteger:
      return fmt::format("(integer) {}", value.integer);
    case Value::Type::kString:
      return fmt::format("\"{}\"", value.text);
    case Value::Type::kDouble:
      return fmt::format("(double) {}", value.number);
    case Value::Type::kBoolean:
      return value.integer != 0 ? "(true)" : "(false)";
    case Value::Type::kArray:
    case Value::Type::kMap:
    case Value::Type::kSet:
      break;
  }
  std::string text = "[";
  for (const Value& element : value.elements) {
    if (text.size() > 1) text += ", ";
    text += ToString(element);
  }
  return text + "]";
}

void ValueBuilder::Add(Value value) {
  // Each aggregate that this completes is itself an element of the one around it.
  while (!open_.empty()) {
    Level& around = open_.back();
    around.value.elements.push_back(std::move(value));
    if (--around.missing > 0) return;
    value = std::move(around.value);
    open_.pop_back();
  }
  take_(std::move(value));
}

void ValueBuilder::Open(Value::Type type, size_t elements) {
  Value value{.type = type};
  if (elements == 0) return Add(std::move(value));
  open_.push_back({std::move(value), elements});
}

}  // namespace tidemark::cache
