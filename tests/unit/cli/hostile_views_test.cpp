// SPDX-License-Identifier: GPL-2.0-only
// Thousands of snapshots whose messages were changed, with checksums that are right, through every
// view: no crash, one sentence for what is wrong, and no more memory than the file may take.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include <random>

#include "../snapshot/made_up_pages.h"
#include "../util/memory_peak.h"
#include "../util/temp_dir.h"
#include "cli/commands.h"
#include "cli/logging.h"
#include "snapshot/format.h"
#include "snapshot/frame_writer.h"
#include "snapshot/snapshot_glance.h"

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

/// Numbered as they stand.
std::string file_of(Items& items) {
  FrameWriter frames(kLevelMin);
  std::string file;
  for (snapshot::Item& item : items) static_cast<void>(frames.append(item, file));
  return file;
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

/// No value: these bytes are no message.
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
      switch (pick(12)) {
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
        default:
          // what protobuf does not take is left as far as it was read
          static_cast<void>(item.ParseFromString(mutated(item.SerializeAsString())));
      }
    }
  }

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
};

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

  /// What `view` of the file answers.
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

  void look_at_all(const MemoryFile& file, DamagePolicy policy, std::uint64_t number) {
    Options options;
    options.mode = static_cast<pobpf_mode>(number % 3);
    for (const Format format : {Format::kText, Format::kJson, Format::kCsv}) {
      options.format = format;
      options.snapshot.view = ReportView::kPages;
      report(file, policy, options);
      options.snapshot.view = ReportView::kTop;
      options.top.fields = kFields[(number + static_cast<std::uint64_t>(format)) % kFields.size()];
      report(file, policy, options);
      if (format == Format::kCsv) continue;
      options.snapshot.view = ReportView::kStacks;
      report(file, policy, options);
      look(file, policy, [&](std::unique_ptr<SnapshotSession> session, Output& output) {
        std::vector<std::unique_ptr<SnapshotSession>> pair;
        pair.push_back(std::move(session));
        auto other = SnapshotSession::open(whole_->path(), DamagePolicy::kRefuse);
        pair.push_back(*std::move(other));
        return print_diff(pair, options, output);
      });
      auto reader = SnapshotReader::open(file.path(), policy);
      auto output = Output::to_file("/dev/null");
      options.page.pfns = {{0, 2}, {0x1000, 0x1004}};
      if (reader)
        if (auto ended = report_page(**reader, options, *output); !ended)
          expect_sound(ended.error());
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

  void mutate(const Items& items, std::uint64_t begin, std::uint64_t end) {
    Items whole = items;
    whole_.emplace(file_of(whole));
    for (std::uint64_t number = begin; number < end; ++number) {
      Items changed = items;
      Mutator(number).mutate(changed);
      const std::string content = file_of(changed);
      const MemoryFile file(content);
      const test::MemoryPeak peak;
      look_at_all(file, number % 2 == 0 ? DamagePolicy::kRefuse : DamagePolicy::kSalvage, number);
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
  static constexpr std::uint64_t kNrMutations = 10'000;

  test::TempDir dir_;
  std::optional<MemoryFile> whole_;
  Fd stderr_;
};

// four tests, so that they run side by side
TEST_F(HostileViews, OfARecording) { mutate(recorded(), 0, kNrMutations / 4); }
TEST_F(HostileViews, OfMoreOfARecording) { mutate(recorded(), kNrMutations / 4, kNrMutations / 2); }
TEST_F(HostileViews, OfAnImport) { mutate(imported(), kNrMutations / 2, kNrMutations / 4 * 3); }
TEST_F(HostileViews, OfMoreOfAnImport) { mutate(imported(), kNrMutations / 4 * 3, kNrMutations); }

}  // namespace
}  // namespace pobpf::cli
