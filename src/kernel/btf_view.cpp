// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/btf_view.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <system_error>
#include <utility>

#include "util/fd.h"

namespace pobpf {
namespace {

/// No kernel has more: distributions' have 10 MB.
constexpr std::size_t kBytesMax = 256UL << 20;
/// Longer chains of typedefs and arrays are loops.
constexpr int kDepthMax = 64;

/// The part of the header that every kernel has: that of <linux/btf.h> grew in Linux 7.1.
constexpr std::size_t kHeaderBytes = offsetof(btf_header, str_len) + sizeof(btf_header::str_len);

/// BTF_MAX_KIND since Linux 7.1; before, the bits above BTF_KIND_MAX are zero. So are those of
/// vlen.
constexpr std::uint32_t kKindMask = 0x7f;
constexpr std::uint32_t kVlenMask = 0xffffff;

std::uint32_t kind_of(const btf_type* type) { return type->info >> 24 & kKindMask; }

/// Bytes behind a btf_type: some once, some for each of its vlen elements.
struct KindLayout {
  std::uint32_t info_bytes;
  std::uint32_t element_bytes;
};

using Layouts = std::array<std::optional<KindLayout>, kKindMask + 1>;

/// All kinds up to BTF_KIND_ENUM64. FUNC has its linkage where others count their elements.
Layouts known_layouts() {
  Layouts layouts;
  for (const std::uint32_t kind : std::initializer_list<std::uint32_t>{
           BTF_KIND_FWD, BTF_KIND_CONST, BTF_KIND_VOLATILE, BTF_KIND_RESTRICT, BTF_KIND_PTR,
           BTF_KIND_TYPEDEF, BTF_KIND_FUNC, BTF_KIND_FLOAT, BTF_KIND_TYPE_TAG})
    layouts[kind] = {0, 0};
  layouts[BTF_KIND_INT] = {sizeof(std::uint32_t), 0};
  layouts[BTF_KIND_ENUM] = {0, sizeof(struct btf_enum)};
  layouts[BTF_KIND_ENUM64] = {0, sizeof(struct btf_enum64)};
  layouts[BTF_KIND_ARRAY] = {sizeof(struct btf_array), 0};
  layouts[BTF_KIND_STRUCT] = layouts[BTF_KIND_UNION] = {0, sizeof(btf_member)};
  layouts[BTF_KIND_FUNC_PROTO] = {0, sizeof(btf_param)};
  layouts[BTF_KIND_VAR] = {sizeof(struct btf_var), 0};
  layouts[BTF_KIND_DATASEC] = {0, sizeof(btf_var_secinfo)};
  layouts[BTF_KIND_DECL_TAG] = {sizeof(struct btf_decl_tag), 0};
  return layouts;
}

/// The header of Linux 7.1 has this behind kHeaderBytes: a section with the layout of each kind
/// that the kernel's compiler knew. pahole writes it if it is new enough.
struct LayoutHeader {
  std::uint32_t offset;
  std::uint32_t length;
};
struct LayoutItem {
  std::uint8_t info_bytes;
  std::uint8_t element_bytes;
  std::uint16_t flags;
};

/// Finds where each type begins. Types lie one behind the other, so whoever does not know how long
/// one is has lost all that follow.
///
/// A kind that came later than this is stepped over as the kernel's own description of it says.
/// Where there is none its layout is tried out: with a wrong one the next type has the kind 0 or a
/// name outside of the strings before long, and the last one does not end where all of them do.
class TypeScan {
 public:
  TypeScan(const std::byte* types, std::size_t nr_bytes, std::size_t strings_bytes,
           const Layouts& layouts)
      : types_(types), nr_bytes_(nr_bytes), strings_bytes_(strings_bytes), layouts_(layouts) {
    // 24 bytes a type on average
    offsets_.reserve(nr_bytes / 20 + 1);
    offsets_.push_back(0);
  }

  bool run() { return run_from(0, 0); }
  /// Some type was of a kind without a layout.
  [[nodiscard]] bool met_unknown_kind() const { return met_unknown_kind_; }
  std::vector<std::uint32_t> take_offsets() { return std::move(offsets_); }

 private:
  /// More kinds than one of which nothing is said: the worst case is the square of the layouts.
  static constexpr int kGuessesMax = 2;

  bool run_from(std::size_t at, int nr_guesses) {
    while (at < nr_bytes_) {
      if (nr_bytes_ - at < sizeof(btf_type)) return false;
      const auto* const type = reinterpret_cast<const btf_type*>(types_ + at);
      const std::uint32_t kind = kind_of(type);
      if (kind == BTF_KIND_UNKN || type->name_off >= strings_bytes_) return false;
      if (!layouts_[kind]) return guess_layout(kind, at, nr_guesses);
      const std::size_t behind = bytes_behind(*layouts_[kind], vlen_at(at));
      if (nr_bytes_ - at - sizeof(btf_type) < behind) return false;
      offsets_.push_back(kind <= BTF_KIND_ENUM64 ? static_cast<std::uint32_t>(at)
                                                 : BtfView::kUnknownKind);
      at += sizeof(btf_type) + behind;
    }
    return true;
  }

  bool guess_layout(std::uint32_t kind, std::size_t at, int nr_guesses) {
    met_unknown_kind_ = true;
    if (nr_guesses == kGuessesMax) return false;
    const std::size_t nr_before = offsets_.size();
    for (const KindLayout& layout : possible_layouts(vlen_at(at))) {
      layouts_[kind] = layout;
      if (run_from(at, nr_guesses + 1)) return true;
      offsets_.resize(nr_before);
    }
    layouts_[kind].reset();
    return false;
  }

  /// Short ones first: a long one may fit because it takes types behind for its elements.
  static std::vector<KindLayout> possible_layouts(std::uint32_t vlen) {
    constexpr std::uint32_t kTriedMax = 32;
    constexpr std::uint32_t kStep = sizeof(std::uint32_t);
    std::vector<KindLayout> layouts;
    for (std::uint32_t info_bytes = 0; info_bytes <= kTriedMax; info_bytes += kStep)
      for (std::uint32_t element_bytes = 0; element_bytes <= kTriedMax; element_bytes += kStep)
        layouts.push_back({info_bytes, element_bytes});
    std::stable_sort(layouts.begin(), layouts.end(),
                     [vlen](const KindLayout& a, const KindLayout& b) {
                       return bytes_behind(a, vlen) < bytes_behind(b, vlen);
                     });
    return layouts;
  }

  static std::size_t bytes_behind(const KindLayout& layout, std::uint32_t vlen) {
    return layout.info_bytes + std::size_t{vlen} * layout.element_bytes;
  }

  [[nodiscard]] std::uint32_t vlen_at(std::size_t at) const {
    return reinterpret_cast<const btf_type*>(types_ + at)->info & kVlenMask;
  }

  const std::byte* types_;
  std::size_t nr_bytes_;
  std::size_t strings_bytes_;
  Layouts layouts_;
  std::vector<std::uint32_t> offsets_;
  bool met_unknown_kind_ = false;
};

/// Adds what the kernel says of kinds that are not known here; false if it cannot be right.
bool add_layouts(Layouts& layouts, const std::byte* data, std::size_t nr_bytes) {
  btf_header header{};
  LayoutHeader section{};
  std::memcpy(&header, data, kHeaderBytes);
  if (header.hdr_len < kHeaderBytes + sizeof(section)) return true;
  if (nr_bytes < kHeaderBytes + sizeof(section)) return false;
  std::memcpy(&section, data + kHeaderBytes, sizeof(section));
  const std::size_t begin = std::size_t{header.hdr_len} + section.offset;
  if (begin + section.length > nr_bytes) return false;
  const std::size_t nr_items = std::min(section.length / sizeof(LayoutItem), layouts.size());
  for (std::size_t kind = 0; kind < nr_items; ++kind) {
    if (layouts[kind]) continue;
    LayoutItem item{};
    std::memcpy(&item, data + begin + kind * sizeof(item), sizeof(item));
    // all of BTF is made of words: what follows would be misaligned
    if (item.info_bytes % sizeof(std::uint32_t) != 0 ||
        item.element_bytes % sizeof(std::uint32_t) != 0)
      return false;
    layouts[kind] = {item.info_bytes, item.element_bytes};
  }
  return true;
}

tl::unexpected<Error> cannot_read(const std::string& path, int error) {
  return fail(
      ErrorKind::kFailed,
      fmt::format("no type information in {}: {}", path, std::generic_category().message(error)),
      {}, error);
}

}  // namespace

void BtfRelease::operator()(const std::byte* data) const {
  if (mapped_bytes != 0)
    ::munmap(const_cast<std::byte*>(data), mapped_bytes);
  else
    delete[] data;
}

Result<BtfView> BtfView::open(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) return cannot_read(path, errno);
  if (status.st_size <= 0) return cannot_read(path, EINVAL);
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size > kBytesMax) return cannot_read(path, EFBIG);
  void* const mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (mapped != MAP_FAILED) return over(Data(static_cast<std::byte*>(mapped), {size}), size, path);
  auto buffer = std::make_unique_for_overwrite<std::byte[]>(size);
  std::size_t nr_read = 0;
  while (nr_read < size) {
    const ssize_t length = ::read(file.get(), buffer.get() + nr_read, size - nr_read);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return cannot_read(path, errno);
    if (length == 0) break;
    nr_read += static_cast<std::size_t>(length);
  }
  return over(Data(buffer.release(), {}), nr_read, path);
}

Result<BtfView> BtfView::over(Data data, std::size_t nr_bytes, const std::string& path) {
  BtfView view;
  view.data_ = std::move(data);
  btf_header header{};
  if (nr_bytes < kHeaderBytes) return cannot_read(path, EINVAL);
  std::memcpy(&header, view.data_.get(), kHeaderBytes);
  const std::size_t types_at = std::size_t{header.hdr_len} + header.type_off;
  const std::size_t strings_at = std::size_t{header.hdr_len} + header.str_off;
  if (header.magic != BTF_MAGIC || header.version != BTF_VERSION ||
      types_at % sizeof(std::uint32_t) != 0 || types_at + header.type_len > nr_bytes ||
      header.str_len == 0 || strings_at + header.str_len > nr_bytes)
    return cannot_read(path, EINVAL);
  view.types_ = view.data_.get() + types_at;
  view.strings_ = reinterpret_cast<const char*>(view.data_.get() + strings_at);
  view.strings_bytes_ = header.str_len;
  if (view.strings_[0] != '\0' || view.strings_[header.str_len - 1] != '\0')
    return cannot_read(path, EINVAL);

  Layouts layouts = known_layouts();
  if (!add_layouts(layouts, view.data_.get(), nr_bytes)) return cannot_read(path, EINVAL);
  TypeScan scan(view.types_, header.type_len, view.strings_bytes_, layouts);
  if (!scan.run()) return cannot_read(path, scan.met_unknown_kind() ? EOPNOTSUPP : EINVAL);
  view.offsets_ = scan.take_offsets();
  return view;
}

std::uint32_t BtfView::resolve(std::uint32_t id) const {
  for (int depth = 0; depth < kDepthMax; ++depth) {
    const btf_type* const found = type(id);
    if (found == nullptr || !(btf_is_mod(found) || btf_is_typedef(found))) break;
    id = found->type;
  }
  return id;
}

std::optional<std::uint32_t> BtfView::size_of(std::uint32_t id) const {
  std::uint64_t nr_elements = 1;
  for (int depth = 0; depth < kDepthMax; ++depth) {
    const btf_type* const found = type(resolve(id));
    if (found == nullptr) return std::nullopt;
    std::uint64_t size = found->size;
    if (btf_is_array(found)) {
      nr_elements *= btf_array(found)->nelems;
      if (nr_elements > UINT32_MAX) return std::nullopt;
      id = btf_array(found)->type;
      continue;
    }
    if (btf_is_ptr(found))
      size = sizeof(std::uint64_t);
    else if (!btf_is_composite(found) && !btf_is_any_enum(found) && !btf_is_int(found) &&
             !btf_is_float(found))
      return std::nullopt;
    if (size * nr_elements > UINT32_MAX) return std::nullopt;
    return static_cast<std::uint32_t>(size * nr_elements);
  }
  return std::nullopt;
}

}  // namespace pobpf
