// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/header_message.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "model/page_limits.h"
#include "snapshot/format.h"

namespace pobpf {
namespace {

using Names = google::protobuf::RepeatedPtrField<std::string>;
using FlagNames = google::protobuf::RepeatedPtrField<snapshot::FlagName>;

void write_names(const std::vector<std::string>& names, Names& messages) {
  for (const std::string& name : names) *messages.Add() = name;
}

void write_flag_names(const std::vector<FlagName>& names, FlagNames& messages) {
  for (const FlagName& name : names) {
    snapshot::FlagName& message = *messages.Add();
    message.set_mask(name.mask);
    message.set_name(name.name);
  }
}

void write_tables(const KernelFacts& facts, snapshot::KernelTables& tables) {
  write_flag_names(facts.gfp_names, *tables.mutable_gfp_flag());
  write_flag_names(facts.page_flag_names, *tables.mutable_page_flag());
  for (const PageFlagField& field : facts.page_flag_fields) {
    snapshot::PageFlagField& message = *tables.add_page_flag_field();
    message.set_width(field.width);
    message.set_shift(field.shift);
    message.set_mask(field.mask);
    message.set_name(field.name);
  }
  write_names(facts.zone_names, *tables.mutable_zone());
  write_names(facts.migratetype_names, *tables.mutable_migratetype());
  write_names(facts.migrate_reason_names, *tables.mutable_migrate_reason());
  tables.set_migrate_reason_never(facts.migrate_reason_never);
  tables.set_pageblock_order(facts.pageblock_order);
  tables.set_max_page_order(facts.max_page_order);
  tables.set_is_pre_v68_text(facts.is_pre_v68_text);
  tables.set_is_mobility_grouping_disabled(facts.is_mobility_grouping_disabled);
  tables.set_is_imported(facts.texts.has_value());
}

tl::unexpected<Error> impossible(std::string_view what) {
  return fail(ErrorKind::kFailed, fmt::format("the snapshot's header has {}", what),
              "it is damaged, or no pobpf wrote it");
}

Status check_names(const Names& names) {
  if (static_cast<std::size_t>(names.size()) > kTableEntriesMax)
    return impossible("a table that is too long");
  for (const std::string& name : names)
    if (name.size() > kNameBytesMax) return impossible("a name that is too long");
  return {};
}

Status read_names(const Names& messages, std::vector<std::string>& names) {
  if (auto status = check_names(messages); !status) return status;
  names.assign(messages.begin(), messages.end());
  return {};
}

Status read_flag_names(const FlagNames& messages, std::vector<FlagName>& names) {
  if (static_cast<std::size_t>(messages.size()) > kTableEntriesMax)
    return impossible("a table that is too long");
  for (const snapshot::FlagName& message : messages) {
    if (message.name().size() > kNameBytesMax) return impossible("a name that is too long");
    names.push_back({message.mask(), message.name()});
  }
  return {};
}

/// What formatters shift by must be less than the bits of a word.
Status check_shifts(const snapshot::KernelTables& tables) {
  constexpr unsigned kBits = 64;
  if (tables.pageblock_order() >= kBits || tables.max_page_order() >= kBits)
    return impossible("an order that cannot be");
  if (static_cast<std::size_t>(tables.page_flag_field_size()) > kTableEntriesMax)
    return impossible("a table that is too long");
  for (const snapshot::PageFlagField& field : tables.page_flag_field())
    if (field.width() > kBits || field.shift() >= kBits || field.name().size() > kNameBytesMax)
      return impossible("a field of the page flags that cannot be");
  return {};
}

Result<KernelFacts> read_tables(const snapshot::KernelTables& tables) {
  KernelFacts facts;
  if (auto status = check_shifts(tables); !status) return fail(std::move(status).error());
  for (auto status : {read_flag_names(tables.gfp_flag(), facts.gfp_names),
                      read_flag_names(tables.page_flag(), facts.page_flag_names),
                      read_names(tables.zone(), facts.zone_names),
                      read_names(tables.migratetype(), facts.migratetype_names),
                      read_names(tables.migrate_reason(), facts.migrate_reason_names)})
    if (!status) return fail(std::move(status).error());
  for (const snapshot::PageFlagField& field : tables.page_flag_field())
    facts.page_flag_fields.push_back({field.width(), field.shift(), field.mask(), field.name()});
  facts.migrate_reason_never = tables.migrate_reason_never();
  facts.pageblock_order = tables.pageblock_order();
  facts.max_page_order = tables.max_page_order();
  facts.is_pre_v68_text = tables.is_pre_v68_text();
  facts.is_mobility_grouping_disabled = tables.is_mobility_grouping_disabled();
  if (tables.is_imported()) facts.texts.emplace();
  return facts;
}

void write_page_types(const PageTypes& types, snapshot::PageTypes& message) {
  message.set_is_top_byte(types.encoding == PageTypes::Encoding::kTopByte);
  message.set_base(types.base);
  for (const auto& [value, name] : types.names) {
    message.add_value(value);
    message.add_name(name);
  }
}

Result<PageTypes> read_page_types(const snapshot::PageTypes& message) {
  PageTypes types;
  if (message.value_size() != message.name_size()) return impossible("page types without names");
  if (auto status = check_names(message.name()); !status) return fail(std::move(status).error());
  types.encoding =
      message.is_top_byte() ? PageTypes::Encoding::kTopByte : PageTypes::Encoding::kClearedBits;
  types.base = message.base();
  for (int i = 0; i < message.value_size(); ++i)
    types.names.emplace_back(message.value(i), message.name(i));
  return types;
}

Status read_nodes(const snapshot::Header& message, SnapshotHeader& header) {
  header.max_nodes = message.max_nodes();
  if (header.max_nodes > POBPF_MAX_NODES || message.node_size() > POBPF_MAX_NODES)
    return impossible("more nodes than there can be");
  for (const snapshot::Node& node : message.node()) {
    if (node.nid() >= POBPF_MAX_NODES) return impossible("a node that cannot be");
    header.nodes.push_back({node.nid(), {node.begin_pfn(), node.end_pfn()}});
  }
  return {};
}

/// Members of Account and of its message, which have the same names.
template <typename Copy>
void for_each_count(Copy&& copy) {
  using Message = snapshot::Account;
  copy(&Account::windows, &Message::windows, &Message::set_windows);
  copy(&Account::pages, &Message::pages, &Message::set_pages);
  copy(&Account::emitted, &Message::emitted, &Message::set_emitted);
  copy(&Account::absent, &Message::absent, &Message::set_absent);
  copy(&Account::offline, &Message::offline, &Message::set_offline);
  copy(&Account::free, &Message::free, &Message::set_free);
  copy(&Account::unowned, &Message::unowned, &Message::set_unowned);
  copy(&Account::freed, &Message::freed, &Message::set_freed);
  copy(&Account::tail, &Message::tail, &Message::set_tail);
  copy(&Account::no_handle, &Message::no_handle, &Message::set_no_handle);
  copy(&Account::torn, &Message::torn, &Message::set_torn);
  copy(&Account::errors, &Message::errors, &Message::set_errors);
  copy(&Account::cgroup_errors, &Message::cgroup_errors, &Message::set_cgroup_errors);
  copy(&Account::outside, &Message::outside, &Message::set_outside);
  copy(&Account::longest_read_ns, &Message::longest_read_ns, &Message::set_longest_read_ns);
}

void write_account(const Account& account, snapshot::Account& message) {
  for_each_count([&](auto member, auto /*get*/, auto set) { (message.*set)(account.*member); });
  for (std::size_t i = 0; i < account.filtered.size(); ++i) {
    if (account.filtered[i] == 0) continue;
    snapshot::FilteredPages& filtered = *message.add_filtered();
    filtered.set_filter(kFilterNames[i]);
    filtered.set_pages(account.filtered[i]);
  }
}

/// A filter that this pobpf does not know is left out; then the account does not add up.
Account read_account(const snapshot::Account& message) {
  Account account;
  for_each_count([&](auto member, auto get, auto /*set*/) { account.*member = (message.*get)(); });
  for (const snapshot::FilteredPages& filtered : message.filtered()) {
    const auto* const found =
        std::find(kFilterNames.begin(), kFilterNames.end(), filtered.filter());
    if (found != kFilterNames.end())
      account.filtered[static_cast<std::size_t>(found - kFilterNames.begin())] += filtered.pages();
  }
  return account;
}

}  // namespace

void write_header(const SnapshotHeader& header, snapshot::Header& message) {
  message.set_format_version(kSnapshotVersion);
  message.set_pobpf_version(header.pobpf_version);
  message.set_kernel_release(header.kernel_release);
  message.set_kernel_version(header.kernel_version);
  message.set_machine(header.machine);
  message.set_hostname(header.hostname);
  message.set_command_line(header.command_line);
  message.set_boot_id(header.boot_id);
  message.set_page_size(header.page_size);
  if (header.wall_clock_ns) message.set_wall_clock_ns(*header.wall_clock_ns);
  if (header.local_clock_ns) message.set_local_clock_ns(*header.local_clock_ns);
  message.set_filters(header.filters);
  message.set_reason(header.reason);
  for (const NodeSpan& span : header.nodes) {
    snapshot::Node& node = *message.add_node();
    node.set_nid(span.nid);
    node.set_begin_pfn(span.pfns.begin);
    node.set_end_pfn(span.pfns.end);
  }
  message.set_max_nodes(header.max_nodes);
  if (header.facts) write_tables(*header.facts, *message.mutable_tables());
  write_page_types(header.page_types, *message.mutable_page_types());
}

Result<SnapshotHeader> read_header(const snapshot::Header& message) {
  if (message.format_version() == 0) return impossible("no version");
  if (message.format_version() > kSnapshotVersion)
    return fail(ErrorKind::kFailed,
                fmt::format("the snapshot has version {} of the format, and this pobpf knows "
                            "versions up to {}: it was made by a newer pobpf",
                            message.format_version(), kSnapshotVersion),
                "read it with that one");
  if (message.format_version() < kSnapshotVersion)
    return fail(ErrorKind::kFailed,
                fmt::format("the snapshot has version {} of the format, which was never released",
                            message.format_version()),
                "record again");
  SnapshotHeader header;
  header.pobpf_version = message.pobpf_version();
  header.kernel_release = message.kernel_release();
  header.kernel_version = message.kernel_version();
  header.machine = message.machine();
  header.hostname = message.hostname();
  header.command_line = message.command_line();
  header.boot_id = message.boot_id();
  header.page_size = message.page_size();
  if (header.page_size != 0 && !is_page_size(header.page_size))
    return impossible("a page size that Linux does not have");
  if (message.has_wall_clock_ns()) header.wall_clock_ns = message.wall_clock_ns();
  if (message.has_local_clock_ns()) header.local_clock_ns = message.local_clock_ns();
  header.filters = message.filters();
  header.reason = message.reason();
  if (auto status = read_nodes(message, header); !status) return fail(std::move(status).error());
  if (message.has_tables()) {
    auto facts = read_tables(message.tables());
    if (!facts) return fail(std::move(facts).error());
    header.facts = *std::move(facts);
  }
  auto types = read_page_types(message.page_types());
  if (!types) return fail(std::move(types).error());
  header.page_types = *std::move(types);
  return header;
}

void write_footer(const SnapshotFooter& footer, snapshot::Footer& message) {
  message.set_nr_blocks(footer.nr_blocks);
  message.set_nr_pages(footer.nr_pages);
  message.set_nr_stacks(footer.nr_stacks);
  message.set_nr_cgroups(footer.nr_cgroups);
  message.set_nr_groups(footer.nr_groups);
  if (footer.account) write_account(*footer.account, *message.mutable_account());
}

SnapshotFooter read_footer(const snapshot::Footer& message) {
  SnapshotFooter footer;
  footer.nr_blocks = message.nr_blocks();
  footer.nr_pages = message.nr_pages();
  footer.nr_groups = message.nr_groups();
  footer.nr_stacks = message.nr_stacks();
  footer.nr_cgroups = message.nr_cgroups();
  if (message.has_account()) footer.account = read_account(message.account());
  return footer;
}

}  // namespace pobpf
