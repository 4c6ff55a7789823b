#include "models/tasks/net_options.h"

#include <unistd.h>

namespace unroll::models {

Index NetOptions::weights() const {
  const Index gates = cell == CellKind::lstm ? 4 : cell == CellKind::gru ? 3 : 1;
  const Index directions = bidirectional ? 2 : 1;
  const Index reads = 1 + (layers - 1) * (1 + directions);  // of the states of one direction, by all layers
  return directions * gates * hidden * hidden * reads;
}

double memory_of_machine() {
  return static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

}  // namespace unroll::models
