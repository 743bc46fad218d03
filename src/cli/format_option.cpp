// SPDX-License-Identifier: GPL-2.0-only
#include "cli/format_option.h"

#include <fmt/format.h>

#include "cli/usage_error.h"

namespace pobpf::cli {
namespace {

const char* known_formats(Formats formats) {
  switch (formats) {
    case Formats::kTextJson:
      return "--format takes text or json";
    case Formats::kRows:
    case Formats::kPages:
      return "--format takes text, json or csv";
    case Formats::kSnapshot:
      return "--format takes text, json, csv or sqlite";
  }
  return "";
}

}  // namespace

Formats formats_of(Command command, ReportView view) {
  if (command == Command::kTop || view == ReportView::kTop) return Formats::kRows;
  if (command == Command::kPages) return Formats::kPages;
  if (command == Command::kReport && view == ReportView::kPages) return Formats::kSnapshot;
  return Formats::kTextJson;
}

const char* format_description(Formats formats) {
  switch (formats) {
    case Formats::kTextJson:
      return "text (default) or json; errors become JSON too";
    case Formats::kRows:
    case Formats::kPages:
      return "text (default), json or csv; with json, errors\nbecome JSON too";
    case Formats::kSnapshot:
      return "text (default), json, csv or sqlite (a database,\n"
             "needs -o FILE); with json, errors become JSON too";
  }
  return "";
}

std::vector<std::string> format_names(Formats formats) {
  switch (formats) {
    case Formats::kTextJson:
      return {"text", "json"};
    case Formats::kRows:
    case Formats::kPages:
      return {"text", "json", "csv"};
    case Formats::kSnapshot:
      return {"text", "json", "csv", "sqlite"};
  }
  return {};
}

Result<Format> parse_format_name(const std::string& name, Formats formats, bool has_file) {
  if (name == "text") return Format::kText;
  if (name == "json") return Format::kJson;
  if (name == "csv" && formats != Formats::kTextJson) return Format::kCsv;
  if (name == "sqlite" && formats == Formats::kSnapshot) {
    if (has_file) return Format::kSqlite;
    return usage_error("--format sqlite needs a file", "name it with -o FILE");
  }
  if (name == "sqlite" && formats == Formats::kPages)
    return usage_error("only snapshots become a database",
                       "first pobpf record -o FILE, then pobpf report FILE --format sqlite -o DB");
  return usage_error(fmt::format("unknown format '{}'", name), known_formats(formats));
}

}  // namespace pobpf::cli
