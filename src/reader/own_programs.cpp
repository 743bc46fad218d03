// SPDX-License-Identifier: GPL-2.0-only
#include "reader/own_programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <array>
#include <cstring>
#include <iterator>
#include <vector>

#include "kernel/libbpf_log.h"

namespace pobpf {
namespace {

using Tag = std::array<__u8, BPF_TAG_SIZE>;

Result<std::vector<Tag>> tags_of(int program) {
  bpf_prog_info info{};
  __u32 size = sizeof(info);
  if (const int error = bpf_obj_get_info_by_fd(program, &info, &size); error != 0)
    return fail(libbpf_error("asking about our programs", error));
  std::vector<Tag> tags(info.nr_prog_tags);
  // that of the program as it was loaded; 6.1 names its main function by it
  Tag whole{};
  std::memcpy(whole.data(), info.tag, sizeof(info.tag));
  info = {};
  info.nr_prog_tags = static_cast<__u32>(tags.size());
  info.prog_tags = reinterpret_cast<__u64>(tags.data());
  size = sizeof(info);
  if (const int error = bpf_obj_get_info_by_fd(program, &info, &size); error != 0)
    return fail(libbpf_error("asking about our programs", error));
  tags.push_back(whole);
  return tags;
}

}  // namespace

Result<OwnPrograms> OwnPrograms::of(const bpf_object* object) {
  OwnPrograms own;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    if (!bpf_program__autoload(program)) continue;
    auto tags = tags_of(bpf_program__fd(program));
    if (!tags) return fail(std::move(tags).error());
    for (const Tag& tag : *tags) {
      std::string text;
      for (const __u8 byte : tag) fmt::format_to(std::back_inserter(text), "{:02x}", byte);
      own.tags_.insert(std::move(text));
    }
  }
  return own;
}

bool OwnPrograms::contains(std::string_view symbol) const {
  constexpr std::string_view kPrefix = "bpf_prog_";
  constexpr std::size_t kTagDigits = std::size_t{2} * BPF_TAG_SIZE;
  if (!symbol.starts_with(kPrefix)) return false;
  return tags_.contains(std::string(symbol.substr(kPrefix.size(), kTagDigits)));
}

}  // namespace pobpf
