// SPDX-License-Identifier: GPL-2.0-only
#include "reader/pin_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <climits>

namespace pobpf {
namespace {

constexpr char kTemporarySuffix = '~';

tl::unexpected<Error> bad_name(const char* why) {
  return fail(ErrorKind::kUsage, fmt::format("a pin's name {}", why),
              "take letters, digits, - and _");
}

}  // namespace

Status check_pin_name(std::string_view name) {
  if (name.empty()) return bad_name("must not be empty");
  if (name.find('/') != std::string_view::npos)
    return bad_name("must not hold a '/': --dir chooses the directory");
  // ".." among them; the kernel keeps names with dots for itself
  if (name.find('.') != std::string_view::npos)
    return bad_name("must not hold a '.', which BPF file systems refuse");
  if (std::any_of(name.begin(), name.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x20 || byte == 0x7f;
      }))
    return bad_name("must not hold control characters");
  if (is_temporary_pin_name(name))
    return bad_name("must not end with '~', which stands for a pin that is being made");
  if (name.size() >= NAME_MAX) return bad_name("must be shorter than 255 bytes");
  return {};
}

std::string temporary_pin_name(int task) { return fmt::format("{}{}", task, kTemporarySuffix); }

bool is_temporary_pin_name(std::string_view name) { return name.ends_with(kTemporarySuffix); }

std::optional<int> task_of_temporary_pin(std::string_view name) {
  if (!is_temporary_pin_name(name)) return std::nullopt;
  name.remove_suffix(1);
  int task = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), task);
  if (error != std::errc() || end != name.data() + name.size() || task <= 0) return std::nullopt;
  return task;
}

}  // namespace pobpf
