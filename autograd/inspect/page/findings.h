// What stands out in a report, in sentences: where to look first.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace unroll::inspect {

/// Of a report as inspect/report.h makes it; what it does not have is passed over. Each sentence says numbers
/// of the report and what they are of, no advice.
std::vector<std::string> findings(const nlohmann::json& report);

}  // namespace unroll::inspect
