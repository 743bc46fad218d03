// SPDX-License-Identifier: GPL-2.0-only
// Thousands of snapshots whose messages were changed, with checksums that are right, through every
// view: no crash, one sentence for what is wrong, and no more memory than the file may take.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include <fstream>
#include <random>

#include "../snapshot/made_up_pages.h"
#include "../util/memory_peak.h"
#include "../util/temp_dir.h"
#include "cli/commands/commands.h"
#include "cli/terminal/logging.h"
#include "snapshot/format.h"
#include "snapshot/frame_writer.h"
#include "snapshot/header_message.h"
#include "snapshot/snapshot_glance.h"
#include "sum/ranking.h"

namespace pobpf::cli {
namespace {

using Items = std::vector<snapshot::Item>;

Items items_of(std::string_view file) {
  Items items;
  while (!file.empty()) {
    const std::size_t size = ZSTD_findFrameCompressedSize(file.data(), file.size());
    std::string content(ZSTD_getFrameContentSize(file.data(), size), '\0');
    ZSTD_decompress(content.data(), content.size(), file.data(), size);
    snapshot::Snapshot message;
    EXPECT_TRUE(message.ParseFromString(content));
    items.push_back(message.item(0));
    file.remove_prefix(size);
  }
  return items;
}

/// Numbered as they stand; without the frame of the item `cut`, if there is one.
std::string file_of(Items& items, std::size_t cut = SIZE_MAX) {
  FrameWriter frames(kLevelMin);
  std::string file;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::size_t size = file.size();
    static_cast<void>(frames.append(items[i], file));
    if (i == cut) file.resize(size);
  }
  return file;
}

/// As if they were recorded then, in hours.
Items at_hour(Items items, std::uint64_t hour) {
  items.front().mutable_header()->set_wall_clock_ns(hour * 3'600'000'000'000);
  return items;
}

/// A field of a message as it is encoded.
struct Field {
  std::uint64_t key = 0;  ///< number << 3 | kind of encoding
  std::uint64_t number = 0;
  std::string bytes;

  [[nodiscard]] bool has_bytes() const { return (key & 7) == 2; }
};

std::optional<std::uint64_t> take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

void append_varint(std::string& bytes, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<char>(value | 0x80));
  bytes.push_back(static_cast<char>(value));
}

std::size_t fixed_bytes(std::uint64_t key) { return (key & 7) == 1 ? 8 : (key & 7) == 5 ? 4 : 0; }

/// No value: these bytes are not a message.
std::optional<std::vector<Field>> fields_of(std::string_view bytes) {
  std::vector<Field> fields;
  while (!bytes.empty()) {
    Field field;
    const auto key = take_varint(bytes);
    if (!key || *key >> 3 == 0 || *key >> 3 > 64) return std::nullopt;
    field.key = *key;
    if ((*key & 7) == 0 || field.has_bytes()) {
      const auto number = take_varint(bytes);
      if (!number) return std::nullopt;
      field.number = *number;
    }
    const std::size_t size = field.has_bytes() ? field.number : fixed_bytes(*key);
    if (size > bytes.size() || (size == 0 && (*key & 7) != 0 && !field.has_bytes()))
      return std::nullopt;
    field.bytes = bytes.substr(0, size);
    bytes.remove_prefix(size);
    fields.push_back(std::move(field));
  }
  return fields;
}

std::string encoded(const std::vector<Field>& fields) {
  std::string bytes;
  for (const Field& field : fields) {
    append_varint(bytes, field.key);
    if ((field.key & 7) == 0) append_varint(bytes, field.number);
    if (field.has_bytes()) append_varint(bytes, field.bytes.size());
    bytes += field.bytes;
  }
  return bytes;
}

/// Changes one thing at any depth, most of the time such that the rest is what it was.
class Mutator {
 public:
  explicit Mutator(std::uint64_t seed) : random_(seed) {}

  void mutate(Items& items) {
    for (std::uint64_t changes = 1 + pick(3); changes != 0; --changes) {
      snapshot::Item& item = items[pick(items.size())];
      switch (pick(13)) {
        case 0:
          items.push_back(item);
          std::swap(items.back(), items[pick(items.size())]);
          break;
        case 1:
          std::swap(item, items[pick(items.size())]);
          break;
        case 2:
          if (items.size() > 2) items.erase(items.begin() + static_cast<long>(pick(items.size())));
          break;
        case 3:
          // of the header nothing would be left
          cut_ = 1 + pick(items.size());
          break;
        default:
          // what protobuf does not take is left as far as it was read
          static_cast<void>(item.ParseFromString(mutated(item.SerializeAsString())));
      }
    }
  }
  /// The number of bytes that file_of() is to leave out.
  [[nodiscard]] std::size_t cut() const { return cut_; }

 private:
  std::uint64_t pick(std::uint64_t count) { return random_() % count; }

  std::uint64_t some_number(std::uint64_t before) {
    constexpr std::uint64_t kNumbers[] = {
        0,     1,     2,          30,         31,         63,         64,        255,
        16384, 65535, 0x7fffffff, 0xffffffff, 1ULL << 44, 1ULL << 52, INT64_MAX, UINT64_MAX};
    switch (pick(4)) {
      case 0:
        return before + pick(3) - 1;
      case 1:
        return random_() >> pick(64);
      default:
        return kNumbers[pick(std::size(kNumbers))];
    }
  }

  std::string mutated(const std::string& message) {
    auto fields = fields_of(message);
    if (!fields || fields->empty()) return mutated_bytes(message);
    Field& field = (*fields)[pick(fields->size())];
    switch (pick(10)) {
      case 0:
        fields->erase(fields->begin() + (&field - fields->data()));
        break;
      case 1:
        fields->push_back(Field(field));
        break;
      case 2:
        std::swap(field.bytes, (*fields)[pick(fields->size())].bytes);
        break;
      default:
        if (field.has_bytes()) {
          // a list of texts may look like a message now and then, which does no harm
          field.bytes = fields_of(field.bytes) && pick(5) != 0 ? mutated(field.bytes)
                                                               : mutated_bytes(field.bytes);
        } else {
          field.number = some_number(field.number);
          for (char& byte : field.bytes)
            if (pick(4) == 0) byte = static_cast<char>(random_());
        }
    }
    return encoded(*fields);
  }

  /// Texts, planes, and packed numbers.
  std::string mutated_bytes(std::string bytes) {
    constexpr std::size_t kLong = 100'000;
    switch (pick(8)) {
      case 0:
        return {};
      case 1:
        return bytes.substr(0, pick(bytes.size() + 1));
      case 2:
        return bytes.insert(pick(bytes.size() + 1), 1 + pick(3), static_cast<char>(random_()));
      case 3:
        return std::string(1 + pick(kLong), pick(2) == 0 ? '\0' : '\1');
      case 4:
        for (std::size_t copies = pick(200); copies != 0 && bytes.size() < kLong; --copies)
          bytes += bytes.substr(0, 64);
        return bytes;
      case 5: {
        // one of its numbers
        std::string_view rest = bytes;
        std::string changed;
        for (std::uint64_t at = pick(8); at != 0 && !rest.empty(); --at)
          append_varint(changed, take_varint(rest).value_or(0));
        append_varint(changed, some_number(take_varint(rest).value_or(0)));
        return changed.append(rest);
      }
      default:
        if (!bytes.empty()) bytes[pick(bytes.size())] = static_cast<char>(random_());
        return bytes;
    }
  }

  std::mt19937_64 random_;
  std::size_t cut_ = SIZE_MAX;
};

/// Bytes that this process has written so far, to whatever.
std::uint64_t bytes_written() {
  std::ifstream io("/proc/self/io");
  for (std::string key; io >> key;)
    if (std::uint64_t bytes = 0; key == "wchar:" && io >> bytes) return bytes;
  ADD_FAILURE() << "the kernel does not say how much was written";
  return 0;
}

/// A file in memory that has a path.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view content) : fd_(::memfd_create("snapshot", MFD_CLOEXEC)) {
    EXPECT_EQ(::write(fd_.get(), content.data(), content.size()),
              static_cast<ssize_t>(content.size()));
  }
  [[nodiscard]] std::string path() const { return fmt::format("/proc/self/fd/{}", fd_.get()); }
  [[nodiscard]] const Fd& fd() const { return fd_; }

 private:
  Fd fd_;
};

class HostileViews : public ::testing::Test {
 protected:
  void SetUp() override {
    // messages go nowhere, as most files have one
    set_up_logging(Format::kText, true, 0);
    stderr_ = Fd(::dup(STDERR_FILENO));
    const Fd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    ASSERT_GE(::dup2(null.get(), STDERR_FILENO), 0);
  }
  void TearDown() override { ::dup2(stderr_.get(), STDERR_FILENO); }

  /// One of a kernel, with all that it can tell.
  static Items recorded() {
    const auto pages = test::RandomPages(3).take(60);
    const auto details = test::random_details(4, pages.size());
    return items_of(test::made_snapshot(pages, kLevelMin, details));
  }
  /// One of a text, with sums beside pages.
  static Items imported() {
    samples::MadeUpContext context;
    test::fill(context);
    std::string file;
    SnapshotWriter writer(context, file, kLevelMin);
    SnapshotHeader header = test::made_up_header();
    header.facts = KernelFacts();
    header.facts->texts.emplace();
    header.facts->text_layout.emplace();
    NewTexts texts;
    auto pages = test::RandomPages(5).take(20);
    for (const pobpf_page& page : pages) {
      texts.gfp.emplace_back(page.gfp_mask, GfpText{"GFP_KERNEL|__GFP_ZERO", 1});
      texts.page_flags.emplace_back(page.flags, "lru|node=1|zone=2");
    }
    texts.migratetypes = {{0, "Unmovable"}, {1, "Movable"}};
    texts.migrate_reasons = {{0, "compaction"}};
    texts.pageblock_order = 9;
    DecodedGroups groups;
    groups.records = {pages, {}, kAllPageFields};
    groups.nr_allocations.assign(pages.size(), 2);
    groups.labels.assign(pages.size(), "allocated by SLAB");
    EXPECT_TRUE(writer.begin(header) && writer.append(texts) && writer.append(pages) &&
                writer.append(groups) && writer.end(std::nullopt));
    return items_of(file);
  }

  void expect_sound(const Error& error) const {
    EXPECT_FALSE(error.what.empty());
    EXPECT_EQ(error.what.find('\n'), std::string::npos) << error.what;
  }

  /// Looks at what `view` of the file answers.
  template <typename View>
  void look(const MemoryFile& file, DamagePolicy policy, View&& view) {
    auto session = SnapshotSession::open(file.path(), policy);
    if (!session) return expect_sound(session.error());
    auto output = Output::to_file("/dev/null");
    ASSERT_TRUE(output);
    auto ended = view(*std::move(session), *output);
    if (!ended) expect_sound(ended.error());
  }

  void report(const MemoryFile& file, DamagePolicy policy, const Options& options) {
    look(file, policy, [&](std::unique_ptr<SnapshotSession> session, Output& output) {
      return report_pages(*session, options, output);
    });
  }

  /// Compares the file with what it was before, or with what became of it.
  void diff(const MemoryFile& file, DamagePolicy policy, const Options& options,
            std::initializer_list<const MemoryFile*> others) {
    look(file, policy, [&](std::unique_ptr<SnapshotSession> session, Output& output) {
      std::vector<std::unique_ptr<SnapshotSession>> all;
      all.push_back(std::move(session));
      for (const MemoryFile* other : others) {
        auto opened = SnapshotSession::open(other->path(), DamagePolicy::kRefuse);
        all.push_back(*std::move(opened));
      }
      return print_diff(all, options, output);
    });
  }

  /// Most of them are of numbers that each file has.
  static FilterSpec some_filter(std::uint64_t number) {
    FilterSpec filter;
    switch (number % 8) {
      case 0:
        filter.orders.wanted = {{0, 3}};
        break;
      case 1:
        filter.memcgs.wanted = {"/cgroup"};
        break;
      case 2:
        filter.symbols.rejected = {"f3*"};
        break;
      case 3:
        filter.nodes = NodeSet(9);
        break;
      case 4:
        filter.comms.rejected = {"*a"};
        filter.pids.rejected = {{1, 2}};
        break;
      default:
        break;
    }
    return filter;
  }

  /// Two views, each in one format: all of them, thousands of times, would take ten minutes with
  /// sanitizers, and thousands of mutations come by each.
  void look_at_two(const MemoryFile& file, DamagePolicy policy, std::uint64_t number) {
    std::minstd_rand random(static_cast<unsigned>(number) + 1);
    constexpr Format kFormats[] = {Format::kText, Format::kJson, Format::kCsv};
    constexpr ReportView kSums[] = {ReportView::kTop, ReportView::kStacks};
    Options options;
    options.mode = static_cast<pobpf_mode>(random() % 3);
    options.filter = some_filter(random());
    options.top.has_limit = random() % 5 == 0;
    options.top.sort = random() % 7 == 0 ? SortKey::kFields : SortKey::kPages;
    options.top.fields = kFields[random() % kFields.size()];
    options.diff.paths = {"older", "newer", "newest"};
    options.diff.finds_leaks = random() % 4 == 0;
    options.format = kFormats[random() % std::size(kFormats)];
    options.snapshot.view = ReportView::kPages;
    report(file, policy, options);

    options.format = kFormats[random() % std::size(kFormats)];
    switch (random() % 4) {
      case 0:
      case 1:
        options.snapshot.view =
            options.format == Format::kCsv ? ReportView::kTop : kSums[random() % std::size(kSums)];
        report(file, policy, options);
        break;
      case 2:
        if (options.format == Format::kCsv) options.format = Format::kText;
        if (options.diff.finds_leaks)
          diff(file, policy, options, {&*newer_, &*newest_});
        else
          diff(file, policy, options, {&*newer_});
        break;
      default: {
        if (options.format == Format::kCsv) options.format = Format::kText;
        auto reader = SnapshotReader::open(file.path(), policy);
        auto output = Output::to_file("/dev/null");
        options.page.pfns = {{0, 2}, {0x1000, 0x1004}};
        if (reader)
          if (auto ended = report_page(**reader, options, *output); !ended)
            expect_sound(ended.error());
      }
    }
    static_cast<void>(glance_at_snapshot(file.fd(), "file"));
    // makes a file, which takes longer than all else together
    if (number % 16 != 0) return;
    options.format = Format::kSqlite;
    options.snapshot.view = ReportView::kPages;
    look(file, policy, [&](std::unique_ptr<SnapshotSession> session, Output& /*output*/) {
      auto database = Output::to_named_file(dir_ / "database");
      return report_pages(*session, options, *database);
    });
  }

  /// Whole ones, which are younger than any of at_hour(items, 0).
  void make_younger(const Items& items) {
    for (auto [file, hour] : {std::pair(&newer_, 1U), {&newest_, 2U}}) {
      Items whole = at_hour(items, hour);
      file->emplace(file_of(whole));
    }
  }

  void mutate(const Items& items, std::uint64_t begin, std::uint64_t end) {
    make_younger(items);
    for (std::uint64_t number = begin; number < end; ++number) {
      Items changed = at_hour(items, 0);
      Mutator mutator(number);
      mutator.mutate(changed);
      const std::string content = file_of(changed, mutator.cut());
      const MemoryFile file(content);
      const test::MemoryPeak peak;
      look_at_two(file, number % 2 == 0 ? DamagePolicy::kRefuse : DamagePolicy::kSalvage, number);
      if (test::kIsSanitized) continue;
      ASSERT_LT(peak.risen_kib(), 64 * 1024 + 64 * static_cast<long>(content.size()) / 1024)
          << "mutation " << number;
    }
  }

  inline static const std::vector<std::vector<GroupField>> kFields = {
      {GroupField::kStack},
      {GroupField::kFunction, GroupField::kModule},
      {GroupField::kAllocator, GroupField::kOrder},
      {GroupField::kTgid, GroupField::kPid, GroupField::kComm},
      {GroupField::kGfp, GroupField::kMigratetype},
      {GroupField::kNid, GroupField::kZone},
      {GroupField::kMemcg, GroupField::kMigrateReason, GroupField::kFreed}};
  // without sanitizers it is the memory that is looked at
  static constexpr std::uint64_t kNrMutations = test::kIsSanitized ? 4'000 : 1'000;

  /// Every view of a file that is small for what is in it: whatever it answers, that takes little
  /// memory and is not long.
  void look_at_bomb(Items items) {
    // how much of both there is takes minutes to find out there, and is the same
    if (test::kIsSanitized) return;
    make_younger(items);
    items = at_hour(items, 0);
    const std::string content = file_of(items);
    const MemoryFile file(content);
    Options options;
    options.diff.paths = {"older", "newer", "newest"};
    options.top.has_limit = true;
    const auto expect_little = [&](const char* view, std::size_t nr_files, auto&& show) {
      SCOPED_TRACE(fmt::format("{} as {}, sorted by {}", view, static_cast<int>(options.format),
                               sort_key_name(options.top.sort)));
      const std::uint64_t written = bytes_written();
      const test::MemoryPeak peak;
      show();
      const std::uint64_t floor = options.snapshot.view == ReportView::kPages ? 1024 : 64;
      EXPECT_LT(bytes_written() - written, nr_files * ((floor << 20U) + 16384 * content.size()));
      EXPECT_LT(peak.risen_kib(),
                static_cast<long>(nr_files * (64 * 1024 + 64 * content.size() / 1024)));
    };
    for (const Format format : {Format::kText, Format::kJson, Format::kCsv}) {
      options.format = format;
      options.snapshot.view = ReportView::kPages;
      expect_little("pages", 1, [&] { report(file, DamagePolicy::kRefuse, options); });
      options.snapshot.view = ReportView::kTop;
      for (const auto& [fields, sort] :
           {std::pair(std::vector{GroupField::kStack}, SortKey::kPages),
            {{GroupField::kStack}, SortKey::kFields},
            {{GroupField::kStack, GroupField::kPid}, SortKey::kPages},
            {{GroupField::kPid}, SortKey::kPages}}) {
        options.top.fields = fields;
        options.top.sort = sort;
        expect_little("top", 1, [&] { report(file, DamagePolicy::kRefuse, options); });
        if (format == Format::kCsv || sort == SortKey::kFields) continue;
        options.diff.finds_leaks = false;
        expect_little("diff", 2, [&] { diff(file, DamagePolicy::kRefuse, options, {&*newer_}); });
        if (format == Format::kText) continue;
        options.diff.finds_leaks = true;
        expect_little("leaks", 3, [&] {
          diff(file, DamagePolicy::kRefuse, options, {&*newer_, &*newest_});
        });
      }
      if (format == Format::kCsv) continue;
      options.snapshot.view = ReportView::kStacks;
      expect_little("stacks", 1, [&] { report(file, DamagePolicy::kRefuse, options); });
    }
  }

  test::TempDir dir_;
  std::optional<MemoryFile> newer_;
  std::optional<MemoryFile> newest_;
  Fd stderr_;
};

/// Files of which much could be made.
class HostileBombs : public HostileViews {
 protected:
  static Items begin() {
    Items items(1);
    write_header(test::made_up_header(), *items[0].mutable_header());
    return items;
  }
  /// Numbered from 1, each of the same symbol.
  static void add_stacks(Items& items, const std::string& symbol, std::uint32_t nr_stacks,
                         std::uint32_t nr_frames) {
    snapshot::Stacks& stacks = *items.emplace_back().mutable_stacks();
    stacks.set_symbol(symbol + '\0');
    for (std::uint32_t handle = 1; handle <= nr_stacks; ++handle) {
      stacks.add_handle(handle);
      // of many lengths, as equal ones are one row of a comparison
      const std::uint32_t depth = nr_frames - (nr_stacks == 1 ? 0 : handle % (nr_frames / 2));
      stacks.add_nr_frames(depth);
      for (std::uint32_t i = 0; i < depth; ++i) stacks.add_location(0);
    }
    nr_stacks_ = nr_stacks;
  }
  static snapshot::Pages& add_pages(Items& items) {
    snapshot::Pages& pages = *items.emplace_back().mutable_pages();
    pages.set_nr_pages(kBlockPagesMax);
    pages.set_gap(std::string(kBlockPagesMax, '\0'));
    pages.set_ts_nsec(std::string(kBlockPagesMax, '\0'));
    for (std::uint32_t handle = 1; handle <= nr_stacks_; ++handle) {
      pages.mutable_sites()->add_handle(handle);
      pages.mutable_sites()->add_order(0);
      pages.mutable_sites()->add_gfp_mask(0);
    }
    return pages;
  }
  /// Adds a block of pages that are all alike.
  static void add_even_block(Items& items) {
    snapshot::Pages& pages = add_pages(items);
    pages.mutable_tasks()->add_pid(1);
    for (auto* column : {pages.mutable_site(), pages.mutable_task()}) {
      column->add_value(0);
      column->add_run(kBlockPagesMax);
    }
  }
  /// Adds a block of pages of a process each, from this one on.
  static void add_block(Items& items, std::uint32_t first_pid) {
    snapshot::Pages& pages = add_pages(items);
    for (std::uint32_t i = 0; i < kBlockPagesMax; ++i) {
      pages.mutable_tasks()->add_pid(static_cast<std::int32_t>(first_pid + i));
      pages.mutable_task()->add_value(i);
      pages.mutable_site()->add_value(i % nr_stacks_);
    }
  }
  static Items ended(Items items) {
    snapshot::Footer footer;
    footer.set_nr_stacks(nr_stacks_);
    for (const snapshot::Item& item : items) {
      if (!item.has_pages()) continue;
      footer.set_nr_blocks(footer.nr_blocks() + 1);
      footer.set_nr_pages(footer.nr_pages() + item.pages().nr_pages());
    }
    *items.emplace_back().mutable_footer() = footer;
    return items;
  }
  inline static std::uint32_t nr_stacks_ = 0;
};

// names that become six times as long in JSON
TEST_F(HostileBombs, StacksOfControlCharacters) {
  Items items = begin();
  add_stacks(items, std::string(kNameBytesMax, '\1'), 1, 2);
  for (int i = 0; i < 20; ++i) add_even_block(items);
  look_at_bomb(ended(items));
}

// frames of which each is little in a file and a string in a row
TEST_F(HostileBombs, FramesOfShortNames) {
  Items items = begin();
  add_stacks(items, "f", 4800, kStackDepthMax);
  add_block(items, 0);
  look_at_bomb(ended(items));
}

TEST_F(HostileBombs, ADeepStackOfManyProcesses) {
  Items items = begin();
  add_stacks(items, std::string(kNameBytesMax, 's'), 1, kStackDepthMax);
  for (std::uint32_t i = 0; i < 4; ++i) add_block(items, i * kBlockPagesMax);
  look_at_bomb(ended(items));
}

// more groups than there is room for
TEST_F(HostileBombs, ManyProcesses) {
  Items items = begin();
  add_stacks(items, "f", 1, 1);
  for (std::uint32_t i = 0; i < 6; ++i) add_block(items, i * kBlockPagesMax);
  look_at_bomb(ended(items));
}

// four tests, so that they run side by side
TEST_F(HostileViews, OfARecording) { mutate(recorded(), 0, kNrMutations / 4); }
TEST_F(HostileViews, OfMoreOfARecording) { mutate(recorded(), kNrMutations / 4, kNrMutations / 2); }
TEST_F(HostileViews, OfAnImport) { mutate(imported(), kNrMutations / 2, kNrMutations / 4 * 3); }
TEST_F(HostileViews, OfMoreOfAnImport) { mutate(imported(), kNrMutations / 4 * 3, kNrMutations); }

}  // namespace
}  // namespace pobpf::cli
