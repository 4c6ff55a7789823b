// The page that shows a report: one HTML file without anything from elsewhere. How it looks is in
// autograd/inspect/page/, as real files.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace unroll::inspect {

/// The page of a report as inspect/report.h makes it. No string in it, be it a file's name or a module's, can
/// become markup; bytes that are no UTF-8 are shown as such.
std::string page_of(const nlohmann::json& report);

}  // namespace unroll::inspect
