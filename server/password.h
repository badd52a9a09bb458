// Password is the one password of a node (requirepass), which may change while it runs.
//
// Threading: thread-safe.

#ifndef TIDEMARK_SERVER_PASSWORD_H_
#define TIDEMARK_SERVER_PASSWORD_H_

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

namespace tidemark::server {

class Password {
 public:
  // Empty: none is required.
  void Set(std::string password) {
    required_.store(!password.empty(), std::memory_order_release);
    std::atomic_store(&password_, std::make_shared<const std::string>(std::move(password)));
  }

  bool required() const { return required_.load(std::memory_order_acquire); }
  // Takes a time that depends on the lengths alone. True for anything if none is required.
  bool Matches(std::string_view given) const {
    const std::shared_ptr<const std::string> password = std::atomic_load(&password_);
    if (password == nullptr || password->empty()) return true;
    unsigned difference = given.size() == password->size() ? 0 : 1;
    for (size_t i = 0; i < given.size(); ++i) {
      difference |= static_cast<unsigned char>(given[i]) ^
                    static_cast<unsigned char>((*password)[i % password->size()]);
    }
    return difference == 0;
  }

 private:
  std::atomic<bool> required_{false};
  std::shared_ptr<const std::string> password_;  // By std::atomic_load and _store.
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_PASSWORD_H_
