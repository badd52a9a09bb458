// IntrusivePtr shares an object that counts its own references: one word, no control block.

#ifndef TIDEMARK_BASE_INTRUSIVE_PTR_H_
#define TIDEMARK_BASE_INTRUSIVE_PTR_H_

#include <cstddef>
#include <utility>

namespace tidemark {

// T provides `void AddRef() const` and `void Release() const`; Release destroys at zero.
// A T begins with one reference, which Adopt() takes over.
template <typename T>
class IntrusivePtr {
 public:
  IntrusivePtr() = default;
  IntrusivePtr(std::nullptr_t) {}
  static IntrusivePtr Adopt(T* object) {
    IntrusivePtr result;
    result.object_ = object;
    return result;
  }
  // Adds a reference to an object that another reference keeps alive meanwhile.
  static IntrusivePtr Share(T* object) {
    if (object != nullptr) object->AddRef();
    return Adopt(object);
  }
  IntrusivePtr(const IntrusivePtr& other) : object_(other.object_) {
    if (object_ != nullptr) object_->AddRef();
  }
  IntrusivePtr(IntrusivePtr&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  IntrusivePtr& operator=(IntrusivePtr other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~IntrusivePtr() {
    if (object_ != nullptr) object_->Release();
  }

  T* get() const { return object_; }
  T& operator*() const { return *object_; }
  T* operator->() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }
  friend bool operator==(const IntrusivePtr&, const IntrusivePtr&) = default;

  // Gives up the reference without releasing it; the caller now holds it.
  T* Detach() { return std::exchange(object_, nullptr); }

 private:
  T* object_ = nullptr;
};

}  // namespace tidemark

#endif  // TIDEMARK_BASE_INTRUSIVE_PTR_H_
