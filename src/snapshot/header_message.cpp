// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/header_message.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "model/kernel_release.h"
#include "model/page_limits.h"
#include "snapshot/contradiction.h"
#include "snapshot/format.h"
#include "snapshot/text_list.h"
#include "snapshot/texts_message.h"

namespace pobpf {
namespace {

void write_flag_names(const std::vector<FlagName>& names, snapshot::FlagNames& message) {
  for (const FlagName& name : names) {
    message.add_mask(name.mask);
    append_to_list(*message.mutable_name(), name.name, kTableNameBytesMax);
  }
}

void write_tables(const KernelFacts& facts, snapshot::KernelTables& tables) {
  write_flag_names(facts.gfp_names, *tables.mutable_gfp_flag());
  write_flag_names(facts.page_flag_names, *tables.mutable_page_flag());
  for (const PageFlagField& field : facts.page_flag_fields) {
    snapshot::PageFlagFields& message = *tables.mutable_page_flag_field();
    message.add_width(field.width);
    message.add_shift(field.shift);
    message.add_mask(field.mask);
    append_to_list(*message.mutable_name(), field.name, kTableNameBytesMax);
    message.add_is_hex(field.is_hex);
  }
  write_names(facts.zone_names, *tables.mutable_zone());
  write_names(facts.migratetype_names, *tables.mutable_migratetype());
  write_names(facts.migrate_reason_names, *tables.mutable_migrate_reason());
  tables.set_migrate_reason_never(facts.migrate_reason_never);
  if (facts.pageblock_order) tables.set_pageblock_order(*facts.pageblock_order);
  if (facts.max_page_order) tables.set_max_page_order(*facts.max_page_order);
  const TextLayout layout = facts.text_layout.value_or(TextLayout());
  tables.set_is_pfn_decimal(layout.is_pfn_decimal);
  tables.set_shows_free_ts(layout.shows_free_ts);
  tables.set_is_text_layout_unknown(!facts.text_layout);
  tables.set_is_text_layout_found(facts.text_layout.has_value());
  tables.set_omits_charges(layout.omits_charges);
  tables.set_gfp_migratetype_shift(facts.gfp_migratetype_shift);
  tables.set_gfp_migratetype_mask(facts.gfp_migratetype_mask);
  tables.set_is_mobility_grouping_disabled(facts.is_mobility_grouping_disabled);
  tables.set_is_imported(facts.texts.has_value());
}

tl::unexpected<Error> impossible(std::string_view what) {
  return fail(ErrorKind::kFailed, fmt::format("the snapshot's header has {}", what),
              "it is damaged, or no pobpf wrote it");
}

Status read_flag_names(const snapshot::FlagNames& message, std::vector<FlagName>& names) {
  const auto size = static_cast<std::size_t>(message.mask_size());
  if (size > kTableEntriesMax || message.name().size() > kFlagNamesBytesMax ||
      !is_list_of(message.name(), size, kTableNameBytesMax))
    return impossible("flags of which not each has a name of the usual length");
  std::string_view list = message.name();
  for (const std::uint64_t mask : message.mask()) {
    // it would be a part of every text
    if (mask == 0) return impossible("a flag without a bit");
    names.push_back({mask, std::string(take_text(list))});
  }
  return {};
}

/// Formatters must shift by less than the bits of a word.
constexpr unsigned kWordBits = 64;
constexpr unsigned kGfpMaskBits = 32;
/// It is kept in a byte.
constexpr std::uint32_t kMigratetypeMax = UINT8_MAX;

Status read_page_flag_fields(const snapshot::PageFlagFields& message, KernelFacts& facts) {
  const int size = message.width_size();
  if (static_cast<std::size_t>(size) > kPageFlagFieldsMax || message.shift_size() != size ||
      message.mask_size() != size || message.is_hex_size() != size ||
      !is_list_of(message.name(), static_cast<std::size_t>(size), kTableNameBytesMax))
    return impossible("impossible fields of the page flags");
  std::string_view list = message.name();
  for (int i = 0; i < size; ++i) {
    if (message.width(i) > kWordBits || message.shift(i) >= kWordBits)
      return impossible("an impossible field of the page flags");
    facts.page_flag_fields.push_back({message.width(i), message.shift(i), message.mask(i),
                                      std::string(take_text(list)), message.is_hex(i)});
  }
  return {};
}

/// Earlier versions of pobpf took each kernel without page_owner.free_pid for one that prints as
/// those of kernel.org do from 5.18 to 6.4. Later ones and those of distributions may not.
bool is_guessed_layout(const snapshot::KernelTables& tables, std::string_view release) {
  if (tables.is_text_layout_found() || tables.is_imported() || !tables.is_pfn_decimal())
    return false;
  const auto version = parse_release(release);
  return !version || *version < KernelVersion{5, 18} || *version > KernelVersion{6, 4};
}

/// Sets the layout, or why there is none.
void read_text_layout(const snapshot::KernelTables& tables, std::string_view release,
                      KernelFacts& facts) {
  if (tables.is_text_layout_unknown())
    facts.text_layout_gap = "it was not known when they were recorded";
  else if (is_guessed_layout(tables, release))
    facts.text_layout_gap = "the pobpf that recorded them did not look at its format strings";
  else
    facts.text_layout = {tables.is_pfn_decimal(), tables.shows_free_ts(), tables.omits_charges()};
}

Result<KernelFacts> read_tables(const snapshot::KernelTables& tables, std::string_view release) {
  KernelFacts facts;
  if (tables.pageblock_order() >= kWordBits || tables.max_page_order() >= kWordBits)
    return impossible("an impossible order");
  if (tables.gfp_migratetype_shift() >= kGfpMaskBits ||
      tables.gfp_migratetype_mask() > kMigratetypeMax)
    return impossible("an impossible migratetype");
  for (auto status : {read_flag_names(tables.gfp_flag(), facts.gfp_names),
                      read_flag_names(tables.page_flag(), facts.page_flag_names),
                      read_page_flag_fields(tables.page_flag_field(), facts)})
    if (!status) return fail(std::move(status).error());
  for (const auto& [message, names] : {std::pair(&tables.zone(), &facts.zone_names),
                                       {&tables.migratetype(), &facts.migratetype_names},
                                       {&tables.migrate_reason(), &facts.migrate_reason_names}})
    if (!read_names(*message, *names)) return impossible("impossible names");
  facts.migrate_reason_never = tables.migrate_reason_never();
  facts.pageblock_order.reset();
  facts.max_page_order.reset();
  if (tables.has_pageblock_order()) facts.pageblock_order = tables.pageblock_order();
  if (tables.has_max_page_order()) facts.max_page_order = tables.max_page_order();
  read_text_layout(tables, release, facts);
  facts.gfp_migratetype_shift = tables.gfp_migratetype_shift();
  facts.gfp_migratetype_mask = tables.gfp_migratetype_mask();
  facts.is_mobility_grouping_disabled = tables.is_mobility_grouping_disabled();
  if (tables.is_imported()) facts.texts.emplace();
  return facts;
}

void write_page_types(const PageTypes& types, snapshot::PageTypes& message) {
  message.set_is_top_byte(types.encoding == PageTypes::Encoding::kTopByte);
  message.set_base(types.base);
  for (const auto& [value, name] : types.names) {
    message.add_value(value);
    append_to_list(*message.mutable_name(), name, kTableNameBytesMax);
  }
}

Result<PageTypes> read_page_types(const snapshot::PageTypes& message) {
  PageTypes types;
  const auto size = static_cast<std::size_t>(message.value_size());
  if (size > kTableEntriesMax || !is_list_of(message.name(), size, kTableNameBytesMax))
    return impossible("page types of which not each has a name of the usual length");
  types.encoding =
      message.is_top_byte() ? PageTypes::Encoding::kTopByte : PageTypes::Encoding::kClearedBits;
  types.base = message.base();
  std::string_view list = message.name();
  for (const std::uint32_t value : message.value())
    types.names.emplace_back(value, take_text(list));
  return types;
}

Status read_nodes(const snapshot::Header& message, SnapshotHeader& header) {
  const snapshot::Nodes& nodes = message.nodes();
  header.max_nodes = message.max_nodes();
  const int size = nodes.nid_size();
  if (header.max_nodes > POBPF_MAX_NODES || size > POBPF_MAX_NODES)
    return impossible("more nodes than there can be");
  if (nodes.begin_pfn_size() != size || nodes.end_pfn_size() != size)
    return impossible("nodes whose columns differ in length");
  for (int i = 0; i < size; ++i) {
    if (nodes.nid(i) >= POBPF_MAX_NODES) return impossible("an impossible node");
    header.nodes.push_back({nodes.nid(i), {nodes.begin_pfn(i), nodes.end_pfn(i)}});
  }
  return {};
}

/// A string of the header, of its message, and how long it may be.
template <typename Copy>
void for_each_string(Copy&& copy) {
  using Header = SnapshotHeader;
  using Message = snapshot::Header;
  const auto name = [&](auto member, auto get, auto set) {
    copy(member, get, set, kHeaderNameBytesMax);
  };
  const auto text = [&](auto member, auto get, auto set) {
    copy(member, get, set, kHeaderTextBytesMax);
  };
  name(&Header::pobpf_version, &Message::pobpf_version, &Message::mutable_pobpf_version);
  name(&Header::kernel_release, &Message::kernel_release, &Message::mutable_kernel_release);
  name(&Header::kernel_version, &Message::kernel_version, &Message::mutable_kernel_version);
  name(&Header::machine, &Message::machine, &Message::mutable_machine);
  name(&Header::hostname, &Message::hostname, &Message::mutable_hostname);
  name(&Header::boot_id, &Message::boot_id, &Message::mutable_boot_id);
  name(&Header::reason, &Message::reason, &Message::mutable_reason);
  text(&Header::command_line, &Message::command_line, &Message::mutable_command_line);
  text(&Header::filters, &Message::filters, &Message::mutable_filters);
}

/// Members of Account and of its message, which have the same names; those by filter are a list of
/// names, so that each pobpf finds its own filters.
template <typename Copy>
void for_each_count(Copy&& copy) {
  using Message = snapshot::Account;
#define POBPF_COUNT(name, meaning) copy(&Account::name, &Message::name, &Message::set_##name);
#define POBPF_BY_FILTER(name, meaning)
  POBPF_ACCOUNT_COUNT_LIST(POBPF_COUNT, POBPF_BY_FILTER)
#undef POBPF_COUNT
#undef POBPF_BY_FILTER
}

void write_account(const Account& account, snapshot::Account& message) {
  for_each_count([&](auto member, auto /*get*/, auto set) { (message.*set)(account.*member); });
  for (std::size_t i = 0; i < account.filtered.size(); ++i) {
    if (account.filtered[i] == 0) continue;
    append_to_list(*message.mutable_filter(), kFilterNames[i], kTableNameBytesMax);
    message.add_filtered(account.filtered[i]);
  }
}

/// A filter that this pobpf does not know is left out; then the account does not add up.
Result<Account> read_account(const snapshot::Account& message) {
  if (!is_list_of(message.filter(), static_cast<std::size_t>(message.filtered_size()),
                  kTableNameBytesMax))
    return contradiction("the columns of its filters differ in length");
  Account account;
  for_each_count([&](auto member, auto get, auto /*set*/) { account.*member = (message.*get)(); });
  std::string_view list = message.filter();
  for (const std::uint64_t nr_pages : message.filtered()) {
    const auto* const found = std::find(kFilterNames.begin(), kFilterNames.end(), take_text(list));
    if (found != kFilterNames.end())
      account.filtered[static_cast<std::size_t>(found - kFilterNames.begin())] += nr_pages;
  }
  return account;
}

}  // namespace

void write_header(const SnapshotHeader& header, snapshot::Header& message) {
  const bool has_text = !header.facts || header.facts->text_layout;
  message.set_format_version(has_text ? kSnapshotVersion : kSnapshotVersionWithoutText);
  for_each_string([&](auto member, auto /*get*/, auto set, std::size_t bytes_max) {
    *(message.*set)() = (header.*member).substr(0, bytes_max);
  });
  message.set_page_size(header.page_size);
  if (header.wall_clock_ns) message.set_wall_clock_ns(*header.wall_clock_ns);
  if (header.local_clock_ns) message.set_local_clock_ns(*header.local_clock_ns);
  for (const NodeSpan& span : header.nodes) {
    snapshot::Nodes& nodes = *message.mutable_nodes();
    nodes.add_nid(span.nid);
    nodes.add_begin_pfn(span.pfns.begin);
    nodes.add_end_pfn(span.pfns.end);
  }
  message.set_max_nodes(header.max_nodes);
  if (header.facts) write_tables(*header.facts, *message.mutable_tables());
  write_page_types(header.page_types, *message.mutable_page_types());
}

Result<SnapshotHeader> read_header(const snapshot::Header& message) {
  if (message.format_version() == 0) return impossible("no version");
  if (message.format_version() > kSnapshotVersionWithoutText)
    return fail(ErrorKind::kFailed,
                fmt::format("the snapshot has version {} of the format, and this pobpf knows "
                            "versions up to {}: it was made by a newer pobpf",
                            message.format_version(), kSnapshotVersionWithoutText),
                "read it with that one");
  if (message.format_version() < kSnapshotVersion)
    return fail(ErrorKind::kFailed,
                fmt::format("the snapshot has version {} of the format, which was never released",
                            message.format_version()),
                "record again");
  SnapshotHeader header;
  bool is_too_long = false;
  for_each_string([&](auto member, auto get, auto /*set*/, std::size_t bytes_max) {
    const std::string& text = (message.*get)();
    is_too_long = is_too_long || text.size() > bytes_max;
    if (!is_too_long) header.*member = text;
  });
  if (is_too_long) return impossible("a text that is too long");
  header.page_size = message.page_size();
  if (header.page_size != 0 && !is_page_size(header.page_size))
    return impossible("a page size that Linux does not have");
  if (message.has_wall_clock_ns()) header.wall_clock_ns = message.wall_clock_ns();
  if (message.has_local_clock_ns()) header.local_clock_ns = message.local_clock_ns();
  if (auto status = read_nodes(message, header); !status) return fail(std::move(status).error());
  if (message.has_tables()) {
    auto facts = read_tables(message.tables(), header.kernel_release);
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
  message.set_nr_texts(footer.nr_texts);
  if (footer.account) write_account(*footer.account, *message.mutable_account());
}

Result<SnapshotFooter> read_footer(const snapshot::Footer& message) {
  SnapshotFooter footer;
  footer.nr_blocks = message.nr_blocks();
  footer.nr_pages = message.nr_pages();
  footer.nr_groups = message.nr_groups();
  footer.nr_stacks = message.nr_stacks();
  footer.nr_cgroups = message.nr_cgroups();
  footer.nr_texts = message.nr_texts();
  if (!message.has_account()) return footer;
  auto account = read_account(message.account());
  if (!account) return fail(std::move(account).error());
  footer.account = *std::move(account);
  return footer;
}

}  // namespace pobpf
