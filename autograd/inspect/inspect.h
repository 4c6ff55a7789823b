// Looking into a pass, in one include.
//
//   report.h     one pass as a page, and as JSON: start here
//   listing.h    a line for each operation
//   graph.h      modules and time steps, for Graphviz and as JSON
//   flow.h       gradients through time, with gates.h and jacobian.h
//   origin.h     where a NaN was born
//   profile.h    time and arithmetic by op and module; trace.h: as a timeline for a viewer
//   memory.h     the peak and what is alive at it; forecast.h: the same without running the pass
//   history.h    a training run, as its optimiser sees it
#pragma once
#include "autograd/inspect/forecast.h"
#include "autograd/inspect/graph.h"
#include "autograd/inspect/listing.h"
#include "autograd/inspect/report.h"
#include "autograd/inspect/trace.h"
