// NetworkNamespace is a second network on this machine, joined to the first by one cable that a
// test can pull: a real partition, of which neither end is told.
//
//   NetworkNamespace there;
//   if (!there.made()) GTEST_SKIP() << there.cause();     // Needs CAP_NET_ADMIN and ip(8).
//   { const auto inside = there.Enter(); replica = Node::ReplicaOf(...); }
//   there.Unplug();
//
// What is started, or connected, while Enter()'s result lives is there, and 127.0.0.1 is that
// network's own. Everything else reaches it at far_address(), and is reached at near_address().
//
// Threading: Enter() moves the calling thread only.

#ifndef TIDEMARK_INTEGRATION_CHAOS_NETWORK_NAMESPACE_H_
#define TIDEMARK_INTEGRATION_CHAOS_NETWORK_NAMESPACE_H_

#include <string>

namespace tidemark::integration {

class NetworkNamespace {
 public:
  NetworkNamespace();
  ~NetworkNamespace();
  NetworkNamespace(const NetworkNamespace&) = delete;
  NetworkNamespace& operator=(const NetworkNamespace&) = delete;

  bool made() const { return cause_.empty(); }
  const std::string& cause() const { return cause_; }  // Of its not being made.
  const std::string& near_address() const { return near_address_; }
  const std::string& far_address() const { return far_address_; }

  class Inside {
   public:
    explicit Inside(const std::string& path);
    ~Inside();
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

   private:
    const int home_;
  };
  Inside Enter() const { return Inside("/run/netns/" + name_); }

  void Unplug();
  void Plug();

 private:
  const std::string name_;
  std::string near_address_;
  std::string far_address_;
  std::string cause_;
};

}  // namespace tidemark::integration

#endif  // TIDEMARK_INTEGRATION_CHAOS_NETWORK_NAMESPACE_H_
