// A timeline of passes, for the trace viewers of browsers: https://ui.perfetto.dev or chrome://tracing.
#pragma once
#include <iosfwd>

#include "autograd/inspect/watch/profile.h"

namespace unroll::inspect {

/// Writes what a profile kept (Spans::kept) as a JSON array of events, times in microseconds: nodes inside
/// their time step, their modules, and the direction of the pass. Format: "Trace Event Format", Google 2016.
void write_trace(const Profile& profile, std::ostream& out);

}  // namespace unroll::inspect
