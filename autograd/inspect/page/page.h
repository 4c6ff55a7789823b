// The page that shows a report: one HTML file without anything from elsewhere. How it looks is in
// autograd/inspect/page/, as real files.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "autograd/system/error.h"

namespace unroll::inspect {

/// The page of a report as inspect/report.h makes it. No string in it, be it a file's name or a module's, can
/// become markup; bytes that are no UTF-8 are shown as such. Numbers have five digits there, more than is
/// seen.
std::string page_of(nlohmann::json report);
/// Replaces the file at `path` by it, whole or not at all; throws Error if that cannot be.
void write_page(const std::string& path, nlohmann::json report, autograd::SourceLocation location = {});

}  // namespace unroll::inspect
