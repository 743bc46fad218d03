// SPDX-License-Identifier: GPL-2.0-only
#include "import/importer.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "import/import_store.h"
#include "import/kernel_record.h"
#include "import/record_assembler.h"
#include "import/scan.h"

namespace pobpf {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{512} << 10;
/// No line of a kernel is longer than a page; a name with line ends is more than one line.
constexpr std::size_t kLineBytesMax = std::size_t{64} << 10;

/// A piece of the text, as much of it as there is room for.
class TextWindow {
 public:
  explicit TextWindow(TextSource& source) : source_(source), buffer_(kBufferBytes, '\0') {}

  [[nodiscard]] std::string_view text() const {
    return std::string_view(buffer_).substr(begin_, end_ - begin_);
  }
  void drop(std::size_t nr_bytes) { begin_ += nr_bytes; }
  [[nodiscard]] bool is_last() const { return is_last_; }
  [[nodiscard]] std::uint64_t nr_read() const { return nr_read_; }
  /// Adds to the text, which must not fill the window.
  Status read_more() {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    auto nr_bytes = source_.read(std::span(buffer_).subspan(end_));
    if (!nr_bytes) return fail(std::move(nr_bytes).error());
    is_last_ = *nr_bytes == 0;
    end_ += *nr_bytes;
    nr_read_ += *nr_bytes;
    return {};
  }

 private:
  TextSource& source_;
  std::string buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::uint64_t nr_read_ = 0;
  bool is_last_ = false;
};

class Import {
 public:
  Import(TextSource& source, const ImportOptions& options, std::string& out)
      : window_(source),
        options_(options),
        store_(out, options.level, report_),
        assembler_([this](const TextRecord& record,
                          std::uint64_t line) { return store_.add(record, line); },
                   report_) {}

  Result<ImportReport> run() {
    if (auto status = store_.begin(header()); !status) return fail(std::move(status).error());
    while (!window_.is_last()) {
      if (auto status = window_.read_more(); !status) return fail(std::move(status).error());
      report_.nr_bytes = window_.nr_read();
      if (auto status = take_window(); !status) return fail(std::move(status).error());
      if (!options_.on_progress) continue;
      if (auto status = options_.on_progress(report_); !status)
        return fail(std::move(status).error());
    }
    if (auto status = assembler_.end(is_last_line_cut_); !status)
      return fail(std::move(status).error());
    if (auto status = store_.end(); !status) return fail(std::move(status).error());
    return std::move(report_);
  }

 private:
  SnapshotHeader header() const {
    SnapshotHeader header;
    header.pobpf_version = options_.pobpf_version;
    header.facts.emplace();
    header.facts->texts.emplace();
    header.facts->pageblock_order.reset();
    header.facts->max_page_order.reset();
    // each record says it
    header.facts->text_layout.emplace();
    return header;
  }

  /// Up to where the text has to be longer.
  Status take_window() {
    while (!window_.text().empty()) {
      bool needs_more = false;
      if (assembler_.is_idle() && !is_in_long_line_) {
        if (auto status = take_records(needs_more); !status) return status;
        if (needs_more && !window_.is_last()) return {};
      }
      if (window_.text().empty()) return {};
      if (auto status = take_line(needs_more); !status || needs_more) return status;
    }
    return {};
  }

  Status take_records(bool& needs_more) {
    while (true) {
      const auto found = records_.parse(window_.text(), record_);
      needs_more = found == KernelRecordParser::Found::kMore;
      if (found != KernelRecordParser::Found::kRecord) return {};
      if (auto status = store_.add(record_, report_.nr_lines + 1); !status) return status;
      window_.drop(records_.nr_bytes());
      report_.nr_lines += records_.nr_lines();
    }
  }

  Status take_line(bool& needs_more) {
    const std::string_view text = window_.text();
    const std::size_t end = text.find('\n');
    const bool has_end = end != std::string_view::npos;
    needs_more = !has_end && text.size() < kLineBytesMax && !window_.is_last();
    if (needs_more) return {};
    const std::string_view line = text.substr(0, end);
    const bool is_rest = std::exchange(is_in_long_line_, !has_end && !window_.is_last());
    is_last_line_cut_ = !has_end;
    // a view into the window, which stays
    window_.drop(has_end ? end + 1 : text.size());
    if (is_rest) return {};
    ++report_.nr_lines;
    // the begin of a line, not an empty one
    if (is_last_line_cut_ && trim_left(line).empty()) return {};
    return assembler_.add(line, report_.nr_lines, is_in_long_line_ || line.size() > kLineBytesMax);
  }

  TextWindow window_;
  const ImportOptions& options_;
  ImportReport report_;
  ImportStore store_;
  RecordAssembler assembler_;
  KernelRecordParser records_;
  TextRecord record_;
  bool is_in_long_line_ = false;
  bool is_last_line_cut_ = false;
};

}  // namespace

Result<ImportReport> import_text(TextSource& source, const ImportOptions& options,
                                 std::string& out) {
  return Import(source, options, out).run();
}

}  // namespace pobpf
