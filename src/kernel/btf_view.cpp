// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/btf_view.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "util/fd.h"

namespace pobpf {
namespace {

/// No kernel has more: distributions' have 10 MB.
constexpr std::size_t kBytesMax = 256UL << 20;
/// Longer chains of typedefs and arrays are loops.
constexpr int kDepthMax = 64;

/// Bytes behind a btf_type; no value: a kind that came later than this.
std::optional<std::size_t> bytes_behind(const btf_type* type) {
  const std::size_t vlen = btf_vlen(type);
  switch (btf_kind(type)) {
    case BTF_KIND_FWD:
    case BTF_KIND_CONST:
    case BTF_KIND_VOLATILE:
    case BTF_KIND_RESTRICT:
    case BTF_KIND_PTR:
    case BTF_KIND_TYPEDEF:
    case BTF_KIND_FUNC:
    case BTF_KIND_FLOAT:
    case BTF_KIND_TYPE_TAG:
      return 0;
    case BTF_KIND_INT:
      return sizeof(std::uint32_t);
    case BTF_KIND_ENUM:
      return vlen * sizeof(struct btf_enum);
    case BTF_KIND_ENUM64:
      return vlen * sizeof(struct btf_enum64);
    case BTF_KIND_ARRAY:
      return sizeof(struct btf_array);
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
      return vlen * sizeof(btf_member);
    case BTF_KIND_FUNC_PROTO:
      return vlen * sizeof(btf_param);
    case BTF_KIND_VAR:
      return sizeof(struct btf_var);
    case BTF_KIND_DATASEC:
      return vlen * sizeof(btf_var_secinfo);
    case BTF_KIND_DECL_TAG:
      return sizeof(struct btf_decl_tag);
    default:
      return std::nullopt;
  }
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
  if (nr_bytes < sizeof(header)) return cannot_read(path, EINVAL);
  std::memcpy(&header, view.data_.get(), sizeof(header));
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

  // 24 bytes a type on average
  view.offsets_.reserve(header.type_len / 20 + 1);
  view.offsets_.push_back(0);
  for (std::size_t at = 0; at < header.type_len;) {
    if (header.type_len - at < sizeof(btf_type)) return cannot_read(path, EINVAL);
    const auto* const type = reinterpret_cast<const btf_type*>(view.types_ + at);
    const auto behind = bytes_behind(type);
    if (!behind || header.type_len - at - sizeof(btf_type) < *behind)
      return cannot_read(path, EINVAL);
    view.offsets_.push_back(static_cast<std::uint32_t>(at));
    at += sizeof(btf_type) + *behind;
  }
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
