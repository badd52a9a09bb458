#include "server/run_node.h"

int main(int argc, char** argv) {
  return tidemark::server::RunNode(tidemark::NodeRole::kPrimary, argc, argv);
}
