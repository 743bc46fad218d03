// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/snapshot_reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "snapshot/contradiction.h"
#include "snapshot/format.h"
#include "snapshot/header_message.h"
#include "snapshot/item_message.h"
#include "snapshot/text_list.h"
#include "snapshot/texts_message.h"
#include "util/file.h"

namespace pobpf {
namespace {

std::uint64_t longest_text(std::string_view list) {
  std::uint64_t longest = 0;
  while (!list.empty()) longest = std::max(longest, shown_bytes(take_text(list)));
  return longest;
}

/// The length of the names of flags that are all set.
std::uint64_t longest_names(const std::vector<FlagName>& flags) {
  std::uint64_t bytes = 0;
  // as JSON has it, each between quotes and with a comma
  for (const FlagName& flag : flags) bytes += shown_bytes(flag.name) + 3;
  return bytes;
}

}  // namespace

SnapshotReader::SnapshotReader(Fd fd, std::string name, DamagePolicy policy)
    : name_(std::move(name)), policy_(policy), frames_(std::move(fd)) {}

Result<std::unique_ptr<SnapshotReader>> SnapshotReader::open(const std::filesystem::path& path,
                                                             DamagePolicy policy) {
  Fd fd = open_file(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (!fd)
    return fail(
        ErrorKind::kFailed,
        fmt::format("opening {}: {}", path.string(), std::generic_category().message(errno)), {},
        errno);
  return open(std::move(fd), path.string(), policy);
}

Result<std::unique_ptr<SnapshotReader>> SnapshotReader::open(Fd fd, std::string name,
                                                             DamagePolicy policy) {
  struct stat status {};
  const bool has_size = ::fstat(fd.get(), &status) == 0 && S_ISREG(status.st_mode);
  // make_unique() cannot reach the constructor
  std::unique_ptr<SnapshotReader> reader(
      new SnapshotReader(std::move(fd), std::move(name), policy));
  if (has_size) {
    reader->file_bytes_ = static_cast<std::uint64_t>(status.st_size);
    reader->budget_.set_file_bytes(reader->file_bytes_);
  }
  if (auto read = reader->read_head(); !read) return fail(std::move(read).error());
  return reader;
}

Status SnapshotReader::read_head() {
  bool at_end = false;
  auto content = frames_.next(at_end);
  if (!content && content.error().os_errno != 0) return fail(std::move(content).error().in(name_));
  if (!content || at_end || !parse_item(*content, item_) || !item_.has_header() ||
      item_.index() != 0)
    return fail(ErrorKind::kFailed,
                fmt::format("{} does not begin like a snapshot of pobpf{}", name_,
                            at_end ? ": it is empty" : ""),
                "if it once was one, nothing can be read without its beginning");
  auto header = read_header(item_.header());
  if (!header) return fail(std::move(header).error().in(name_));
  header_ = *std::move(header);
  if (header_.facts) {
    longest_gfp_names_ = longest_names(header_.facts->gfp_names);
    longest_flag_names_ = longest_names(header_.facts->page_flag_names);
  }
  next_index_ = 1;
  return {};
}

Error SnapshotReader::damage(const Error& error) const {
  return {ErrorKind::kFailed,
          fmt::format("{} is damaged at byte {}: {}", name_, item_position_, error.what),
          "pobpf report --salvage shows what is intact", 0};
}

void SnapshotReader::lose(const Error& error) {
  if (losses_.nr_places++ == 0) losses_.first = damage(error);
}

/// Items are numbered: what was cut out, or is there twice, shows.
Status SnapshotReader::check_index() {
  const std::uint64_t index = item_.index();
  if (footer_) return contradiction("something follows its end");
  if (index < next_index_) return contradiction("a part of it is there twice");
  if (index > next_index_) {
    if (!is_salvaging()) return contradiction("a part of it is missing");
    losses_.nr_items += index - next_index_;
    // unless a damaged place was met already
    if (losses_.nr_places == places_before_item_)
      lose({ErrorKind::kFailed, "a part of it is missing", {}, 0});
  }
  next_index_ = index + 1;
  places_before_item_ = losses_.nr_places;
  return {};
}

Result<bool> SnapshotReader::next_item() {
  while (true) {
    bool at_end = false;
    item_position_ = frames_.position();
    auto content = frames_.next(at_end);
    budget_.set_bytes_read(frames_.position());
    if (content && at_end) return false;
    if (!content && content.error().os_errno != 0)
      return fail(std::move(content).error().in(name_));
    Status status;
    if (!content)
      status = fail(content.error());
    else if (!parse_item(*content, item_))
      status = contradiction("no item of a snapshot");
    else
      status = check_index();
    if (status) return true;
    if (!is_salvaging()) return fail(damage(status.error()));
    lose(status.error());
    if (content) continue;
    // the frame's length may be what is wrong
    auto found = frames_.resynchronize();
    if (!found) return fail(std::move(found).error().in(name_));
    if (!*found) return false;
  }
}

Status SnapshotReader::take_item(Taken& taken) {
  switch (item_.content_case()) {
    case snapshot::Item::kStacks:
      return context_.add(item_.stacks(), is_salvaging());
    case snapshot::Item::kCgroups:
      return context_.add(item_.cgroups());
    case snapshot::Item::kTexts:
      return take_texts();
    case snapshot::Item::kPages:
      if (auto status = take_block(); !status) return status;
      taken = Taken::kPages;
      return {};
    case snapshot::Item::kGroups:
      if (auto status = take_groups(); !status) return status;
      taken = Taken::kGroups;
      return {};
    case snapshot::Item::kFooter:
      return take_footer();
    case snapshot::Item::kHeader:
      return contradiction("a second header");
    case snapshot::Item::CONTENT_NOT_SET:
      if (!has_unknown_content(item_)) break;
      // of a later pobpf, which would not write it there if this one had to know it
      ++losses_.nr_newer_items;
      return {};
  }
  return contradiction("an item without content");
}

Status SnapshotReader::check_references(const snapshot::Pages& pages) const {
  for (const std::uint32_t handle : pages.sites().handle())
    if (!context_.has_stack(handle))
      return contradiction(fmt::format("a page has the stack {}, which is not there", handle));
  for (const std::uint32_t handle : pages.free_sides().handle())
    if (handle != 0 && !context_.has_stack(handle))
      return contradiction(
          fmt::format("a page was freed with the stack {}, which is not there", handle));
  const auto& charges = pages.charges();
  // without a column that refers to it nobody has looked at the table yet
  if (charges.cgroup_id_size() != charges.flags_size())
    return contradiction("the columns of its charges differ in length");
  for (int i = 0; i < charges.flags_size(); ++i)
    if ((charges.flags(i) & POBPF_MEMCG_CHARGED) != 0 && !context_.has_cgroup(charges.cgroup_id(i)))
      return contradiction(
          fmt::format("a page has the cgroup {}, which is not there", charges.cgroup_id(i)));
  return {};
}

Status SnapshotReader::take_texts() {
  if (!header_.facts) return contradiction("it has texts of an import, which it is not");
  if (auto status = read_texts(item_.texts(), *header_.facts, budget_); !status) return status;
  longest_gfp_names_ = std::max(longest_gfp_names_, longest_text(item_.texts().gfp_names()));
  longest_flag_names_ = std::max(longest_flag_names_, longest_text(item_.texts().flags_names()));
  ++seen_.nr_texts;
  return {};
}

Status SnapshotReader::draw_text(const snapshot::Pages& pages) {
  // sums show no records
  if (wanted_ != kEveryPageField) return {};
  // numbers and the names of their columns, and what names of tables, tasks and cgroups can be
  constexpr std::uint64_t kRecordBytes = 1024;
  std::uint64_t bytes =
      pages.nr_pages() * (longest_gfp_names_ + longest_flag_names_ + kRecordBytes);
  std::vector<std::uint64_t> stack_bytes;
  for (const auto& [column, handles] : {std::pair(&pages.site(), &pages.sites().handle()),
                                        {&pages.free_side(), &pages.free_sides().handle()}}) {
    stack_bytes.clear();
    for (const std::uint32_t handle : *handles) stack_bytes.push_back(context_.shown_bytes(handle));
    if (stack_bytes.empty()) continue;
    for (int i = 0; i < column->value_size(); ++i)
      bytes += stack_bytes[column->value(i)] *
               (column->run_size() == 0 ? 1 : std::uint64_t{column->run(i)});
  }
  return budget_.show_records(bytes);
}

Status SnapshotReader::show_stack(std::uint32_t handle) {
  auto status = budget_.show_rows(context_.shown_bytes(handle));
  return status ? Status() : fail(damage(status.error()));
}

Status SnapshotReader::count_pages(std::uint64_t nr_pages) {
  if (nr_base_pages_.add(nr_pages)) return {};
  return contradiction("it has more memory than a machine can have");
}

Status SnapshotReader::take_block() {
  if (auto status = decode_block(item_.pages(), block_, wanted_); !status) return status;
  std::uint64_t nr_base_pages = 0;
  for (const pobpf_page& page : block_.pages) nr_base_pages += std::uint64_t{1} << page.order;
  if (auto status = count_pages(nr_base_pages); !status) return status;
  if (auto status = draw_text(item_.pages()); !status) return status;
  if (!is_salvaging())
    if (auto status = check_references(item_.pages()); !status) return status;
  ++seen_.nr_blocks;
  seen_.nr_pages += block_.pages.size();
  return {};
}

Status SnapshotReader::take_groups() {
  if (auto status = decode_groups(item_.groups(), groups_); !status) return status;
  const auto at = [](const std::vector<std::uint64_t>& numbers, std::size_t i) {
    return numbers.empty() ? std::nullopt : std::optional(numbers[i]);
  };
  for (std::size_t i = 0; i < groups_.records.pages.size(); ++i) {
    const std::uint64_t claimed = claimed_pages(
        at(groups_.nr_pages, i), at(groups_.nr_allocations, i), groups_.records.pages[i].order);
    if (auto status = count_pages(claimed); !status) return status;
  }
  if (!is_salvaging())
    if (auto status = check_references(item_.groups().record()); !status) return status;
  ++seen_.nr_blocks;
  seen_.nr_groups += groups_.records.pages.size();
  return {};
}

Status SnapshotReader::take_footer() {
  auto read = read_footer(item_.footer());
  if (!read) return fail(std::move(read).error());
  const SnapshotFooter& footer = *read;
  const bool is_whole =
      footer.nr_blocks == seen_.nr_blocks && footer.nr_pages == seen_.nr_pages &&
      footer.nr_groups == seen_.nr_groups && footer.nr_stacks == context_.nr_stacks() &&
      footer.nr_cgroups == context_.nr_cgroups() && footer.nr_texts == seen_.nr_texts;
  if (!is_whole && !is_salvaging())
    return contradiction("it holds something else than its end says");
  if (footer.nr_pages < seen_.nr_pages || footer.nr_groups < seen_.nr_groups)
    return contradiction("it holds more than its end says");
  if (footer.account && footer.account->emitted != footer.nr_pages)
    return contradiction("its account is not that of its pages");
  if (!is_whole && losses_.nr_places == 0)
    lose({ErrorKind::kFailed, "a part of it is missing", {}, 0});
  footer_ = footer;
  return {};
}

Status SnapshotReader::end() {
  is_at_end_ = true;
  const Error cut_off{ErrorKind::kFailed, "it ends too early, as if cut off", {}, 0};
  if (!is_salvaging()) return footer_ ? Status() : fail(damage(cut_off));
  if (!footer_ && losses_.nr_places == places_before_item_) lose(cut_off);
  if (!footer_) return {};
  const auto missing = [](std::uint64_t said, std::uint64_t seen) {
    return said - std::min(said, seen);
  };
  losses_.nr_pages = missing(footer_->nr_pages, seen_.nr_pages);
  losses_.nr_groups = missing(footer_->nr_groups, seen_.nr_groups);
  losses_.nr_stacks = missing(footer_->nr_stacks, context_.nr_stacks());
  losses_.nr_cgroups = missing(footer_->nr_cgroups, context_.nr_cgroups());
  losses_.nr_texts = missing(footer_->nr_texts, seen_.nr_texts);
  return {};
}

Result<bool> SnapshotReader::next_of(Taken kind) {
  while (!is_at_end_) {
    auto has_item = next_item();
    if (!has_item) return fail(std::move(has_item).error());
    if (!*has_item) {
      if (auto status = end(); !status) return fail(std::move(status).error());
      break;
    }
    Taken taken = Taken::kNothing;
    auto status = take_item(taken);
    if (!status && !is_salvaging()) return fail(damage(status.error()));
    if (!status) lose(status.error());
    if (taken == kind) return true;
    if (taken == Taken::kGroups && on_groups_)
      if (auto given = on_groups_(groups_); !given) return fail(std::move(given).error());
  }
  return false;
}

Result<const DecodedBlock*> SnapshotReader::next() {
  auto found = next_of(Taken::kPages);
  if (!found) return fail(std::move(found).error());
  return *found ? &block_ : nullptr;
}

Result<const DecodedGroups*> SnapshotReader::next_groups() {
  auto found = next_of(Taken::kGroups);
  if (!found) return fail(std::move(found).error());
  return *found ? &groups_ : nullptr;
}

}  // namespace pobpf
