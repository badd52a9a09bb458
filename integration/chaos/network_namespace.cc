#include "integration/chaos/network_namespace.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <cstdlib>

#include "base/check.h"

namespace tidemark::integration {
namespace {

bool Run(const std::string& command) {
  return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
}

}  // namespace

NetworkNamespace::NetworkNamespace() : name_(fmt::format("tidemark-{}", getpid())) {
  // Of 198.18.0.0/15, which is set aside for measuring between networks.
  const int pid = getpid();
  const std::string subnet = fmt::format("198.{}.{}", 18 + pid % 2, pid / 2 % 256);
  near_address_ = subnet + ".1";
  far_address_ = subnet + ".2";
  const std::string cable = fmt::format("tm{}", pid);
  for (const std::string& command :
       {fmt::format("ip netns add {}", name_),
        fmt::format("ip link add {0}a type veth peer name {0}b netns {1}", cable, name_),
        fmt::format("ip address add {}/24 dev {}a", near_address_, cable),
        fmt::format("ip link set {}a up", cable),
        fmt::format("ip -n {} address add {}/24 dev {}b", name_, far_address_, cable),
        fmt::format("ip -n {} link set {}b up", name_, cable),
        fmt::format("ip -n {} link set lo up", name_)}) {
    if (Run(command)) continue;
    cause_ = "this machine does not allow network namespaces: " + command;
    return;
  }
}

NetworkNamespace::~NetworkNamespace() { Run("ip netns del " + name_); }  // The cable goes with it.

void NetworkNamespace::Unplug() { CHECK(Run(fmt::format("ip link set tm{}a down", getpid()))); }
void NetworkNamespace::Plug() { CHECK(Run(fmt::format("ip link set tm{}a up", getpid()))); }

NetworkNamespace::Inside::Inside(const std::string& path)
    : home_(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
  const int there = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  CHECK(home_ >= 0 && there >= 0 && setns(there, CLONE_NEWNET) == 0);
  close(there);
}

NetworkNamespace::Inside::~Inside() {
  CHECK(setns(home_, CLONE_NEWNET) == 0);
  close(home_);
}

}  // namespace tidemark::integration
