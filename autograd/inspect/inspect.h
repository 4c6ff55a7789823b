// Looking into a pass, in one include.
//
//   page/     one pass as a page and as JSON: report.h, where to start
//   watch/    what is seen while a pass runs: flow.h, gradients through time, with gates.h and jacobian.h;
//             origin.h, where a NaN was born; profile.h, time and arithmetic, with trace.h for a viewer;
//             memory.h, the peak, with forecast.h, which knows it without a run; history.h, a training run
//   figures/  what can be read off a tape: listing.h, a line for each operation; graph.h, modules and time
//             steps, for Graphviz and as JSON
#pragma once
#include "autograd/inspect/figures/graph.h"
#include "autograd/inspect/figures/listing.h"
#include "autograd/inspect/page/report.h"
#include "autograd/inspect/watch/forecast.h"
#include "autograd/inspect/watch/trace.h"
