// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/stack_messages.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <utility>

#include "snapshot/contradiction.h"
#include "snapshot/format.h"
#include "snapshot/numbers.h"
#include "snapshot/text_list.h"

namespace pobpf {
namespace {

/// Memory for the stacks that were asked for lately.
constexpr std::size_t kKnownBytesMax = std::size_t{4} << 20;
// what an element takes in a table beside its texts
constexpr std::uint64_t kStackEntryBytes = 64;
constexpr std::uint64_t kCgroupEntryBytes = 192;
constexpr std::uint64_t kReasonEntryBytes = 96;
/// The size of a frame in JSON, beside its symbol: the address, and the names of both.
constexpr std::uint32_t kShownFrameBytes = 48;

/// For stacks and cgroups alike: checks the positions of those that could not be read, with a
/// reason each.
template <typename Message>
Status check_unreadable(const Message& message, int nr_entries) {
  if (!is_list_of(message.reason(), static_cast<std::size_t>(message.unreadable_size()),
                  kNameBytesMax))
    return contradiction("what could not be read has no reasons, or too long ones");
  if (std::ranges::any_of(message.unreadable(), [&](std::uint32_t at) {
        return at >= static_cast<std::uint32_t>(nr_entries);
      }))
    return contradiction("what could not be read is not there");
  return {};
}

}  // namespace

void ContextWriter::add_stack(std::uint32_t handle, snapshot::Stacks& message) {
  if (!handles_.insert(handle).second) return;
  message.add_handle(handle);
  auto stack = context_.stack(handle);
  if (stack && (*stack)->frames.size() > kStackDepthMax)
    stack = fail(ErrorKind::kFailed, "it has more frames than a snapshot holds");
  if (!stack) {
    message.add_nr_frames(0);
    message.add_unreadable(static_cast<std::uint32_t>(message.handle_size() - 1));
    append_to_list(*message.mutable_reason(), note(std::move(stack).error()), kNameBytesMax);
    return;
  }
  if (addresses_.empty()) message.set_first_location(static_cast<std::uint32_t>(locations_.size()));
  message.add_nr_frames(static_cast<std::uint32_t>((*stack)->frames.size()));
  for (const Frame& frame : (*stack)->frames) message.add_location(location_of(frame, message));
}

std::uint32_t ContextWriter::location_of(const Frame& frame, snapshot::Stacks& message) {
  std::array<char, sizeof(frame.address)> address{};
  std::memcpy(address.data(), &frame.address, sizeof(frame.address));
  const auto [known, is_new] =
      locations_.try_emplace(frame.symbol + std::string(address.data(), address.size()),
                             static_cast<std::uint32_t>(locations_.size()));
  if (!is_new) return known->second;
  append_to_list(*message.mutable_symbol(), frame.symbol, kNameBytesMax);
  addresses_.push_back(frame.address);
  return known->second;
}

void ContextWriter::finish(snapshot::Stacks& message) {
  if (std::ranges::any_of(addresses_, [](std::uint64_t address) { return address != 0; }))
    write_differences(addresses_, *message.mutable_address());
  addresses_.clear();
}

void ContextWriter::add_cgroup(std::uint64_t id, snapshot::Cgroups& message) {
  if (!cgroup_ids_.insert(id).second) return;
  message.add_id(id);
  auto path = context_.cgroup_path(id);
  if (path && path->size() > kPathBytesMax)
    path = fail(ErrorKind::kFailed, "its path is longer than a snapshot holds");
  append_to_list(*message.mutable_path(), path ? *path : std::string(), kPathBytesMax);
  auto above = context_.cgroups_above(id);
  above.resize(std::min<std::size_t>(above.size(), kCgroupDepthMax));
  message.add_nr_above(static_cast<std::uint32_t>(above.size()));
  message.mutable_above()->Add(above.begin(), above.end());
  if (path) return;
  message.add_unreadable(static_cast<std::uint32_t>(message.id_size() - 1));
  append_to_list(*message.mutable_reason(), note(std::move(path).error()), kNameBytesMax);
}

std::string ContextWriter::note(Error error) {
  std::string what = error.what;
  if (nr_unreadable_++ == 0) first_error_ = std::move(error);
  return what;
}

std::uint32_t ContextReader::next_location() const {
  if (locations_.empty()) return 0;
  const Locations& last = *locations_.back();
  return last.first + static_cast<std::uint32_t>(last.locations.size());
}

const ContextReader::Location* ContextReader::location(std::uint32_t number) const {
  const auto behind = std::ranges::upper_bound(
      locations_, number, {}, [](const auto& locations) { return locations->first; });
  if (behind == locations_.begin()) return nullptr;
  const Locations& found = **std::prev(behind);
  const std::uint32_t at = number - found.first;
  return at < found.locations.size() ? &found.locations[at] : nullptr;
}

Status ContextReader::check(const snapshot::Stacks& message, bool is_salvaging) const {
  const std::uint64_t nr_symbols = nr_texts_of(message.symbol());
  if (!is_list_of(message.symbol(), nr_symbols, kNameBytesMax))
    return contradiction("a symbol is too long");
  const std::uint32_t next = next_location();
  if (nr_symbols != 0 && message.first_location() < next)
    return contradiction("its addresses are those of something before it");
  if (nr_symbols != 0 && message.first_location() != next && !is_salvaging)
    return contradiction("its addresses do not follow those before");
  if (message.first_location() > UINT32_MAX - nr_symbols)
    return contradiction("it has more addresses than there can be");

  if (message.nr_frames_size() != message.handle_size())
    return contradiction("the columns of its stacks differ in length");
  const auto& nr_frames = message.nr_frames();
  if (std::ranges::any_of(nr_frames, [](std::uint32_t frames) { return frames > kStackDepthMax; }))
    return contradiction("it has a stack that is deeper than a stack can be");
  if (std::accumulate(nr_frames.begin(), nr_frames.end(), std::int64_t{0}) !=
      message.location_size())
    return contradiction("its stacks have other frames than it holds");
  const std::uint64_t end_location = is_salvaging ? UINT32_MAX : next + nr_symbols;
  for (const std::uint32_t location : message.location())
    if (location >= end_location) return contradiction("a stack refers to an unknown address");
  for (const std::uint32_t handle : message.handle())
    if (stacks_.contains(handle))
      return contradiction(fmt::format("the stack {} is there twice", handle));
  return check_unreadable(message, message.handle_size());
}

Status ContextReader::add_locations(const snapshot::Stacks& message) {
  const std::size_t nr_symbols = nr_texts_of(message.symbol());
  if (nr_symbols == 0) return {};
  std::vector<std::uint64_t> addresses;
  if (!message.has_address()) {
    addresses.resize(nr_symbols);
  } else if (!read_differences(message.address(), nr_symbols, addresses)) {
    return contradiction("the columns of its addresses differ in length");
  }
  auto added = std::make_unique<Locations>();
  added->first = message.first_location();
  added->symbols = message.symbol();
  added->locations.reserve(nr_symbols);
  std::string_view list = added->symbols;
  for (const std::uint64_t address : addresses) {
    const std::string_view symbol = take_text(list);
    added->locations.push_back(
        {address, symbol,
         kShownFrameBytes + static_cast<std::uint32_t>(pobpf::shown_bytes(symbol))});
  }
  locations_.push_back(std::move(added));
  return {};
}

Status ContextReader::add(const snapshot::Stacks& message, bool is_salvaging) {
  // before memory is taken for what is only numbers there
  const auto nr_stacks = static_cast<std::uint64_t>(message.handle_size());
  auto kept = budget_.keep(nr_texts_of(message.symbol()), sizeof(Location),
                           sizeof(Locations) + message.symbol().size());
  if (kept)
    kept = budget_.keep(nr_stacks, kStackEntryBytes,
                        static_cast<std::uint64_t>(message.location_size()) * sizeof(frames_[0]));
  if (kept)
    kept = budget_.keep(static_cast<std::uint64_t>(message.unreadable_size()), kReasonEntryBytes,
                        message.reason().size());
  if (!kept) return kept;
  if (auto status = check(message, is_salvaging); !status) return status;
  if (auto status = add_locations(message); !status) return status;
  std::uint64_t shown = 0;
  int at = 0;
  for (int i = 0; i < message.handle_size(); ++i) {
    StackEntry entry;
    entry.first_frame = frames_.size();
    entry.nr_frames = message.nr_frames(i);
    for (const int end = at + static_cast<int>(entry.nr_frames); at < end; ++at) {
      frames_.push_back(message.location(at));
      const Location* frame = location(message.location(at));
      // a blank in front and a line end behind
      entry.text_bytes +=
          2 + static_cast<std::uint32_t>(frame == nullptr ? 0 : frame->symbol.size());
      entry.shown_bytes += frame == nullptr ? 0U : frame->shown_bytes;
    }
    shown += entry.shown_bytes;
    if (!stacks_.emplace(message.handle(i), entry).second)
      return contradiction(fmt::format("the stack {} is there twice", message.handle(i)));
  }
  std::string_view reasons = message.reason();
  for (const std::uint32_t unreadable : message.unreadable())
    unreadable_[message.handle(static_cast<int>(unreadable))] = take_text(reasons);
  return budget_.show_rows(shown);
}

Status ContextReader::add(const snapshot::Cgroups& message) {
  const auto size = static_cast<std::size_t>(message.id_size());
  if (auto kept = budget_.keep(size, kCgroupEntryBytes,
                               message.path().size() + message.reason().size() +
                                   8 * static_cast<std::uint64_t>(message.above_size()));
      !kept)
    return kept;
  if (!is_list_of(message.path(), size, kPathBytesMax))
    return contradiction("the paths of its cgroups are too long, or not as many as they");
  if (auto status = check_unreadable(message, message.id_size()); !status) return status;
  const bool has_above = message.nr_above_size() != 0;
  if (has_above && message.nr_above_size() != message.id_size())
    return contradiction("the columns of its cgroups differ in length");
  std::int64_t nr_above = 0;
  for (const std::uint32_t levels : message.nr_above()) {
    if (levels > kCgroupDepthMax) return contradiction("a cgroup is deeper than it can be");
    nr_above += levels;
  }
  if (nr_above != message.above_size())
    return contradiction("its cgroups have others above them than it holds");
  std::string_view paths = message.path();
  auto above = message.above().begin();
  for (int i = 0; i < message.id_size(); ++i) {
    const auto end = above + (has_above ? static_cast<std::ptrdiff_t>(message.nr_above(i)) : 0);
    if (!cgroups_
             .emplace(message.id(i), CgroupEntry{std::string(take_text(paths)), {}, {above, end}})
             .second)
      return contradiction(fmt::format("the cgroup {} is there twice", message.id(i)));
    above = end;
  }
  std::string_view reasons = message.reason();
  for (const std::uint32_t unreadable : message.unreadable())
    cgroups_[message.id(static_cast<int>(unreadable))].reason = take_text(reasons);
  return {};
}

Result<const Stack*> ContextReader::stack(std::uint32_t handle) {
  if (const auto known = known_.find(handle); known != known_.end()) return &known->second;
  const auto found = stacks_.find(handle);
  if (found == stacks_.end())
    return fail(ErrorKind::kFailed, fmt::format("stack {} is lost", handle));
  if (const auto reason = unreadable_.find(handle); reason != unreadable_.end())
    return fail(ErrorKind::kFailed, reason->second);
  const StackEntry& entry = found->second;
  Stack stack;
  stack.frames.reserve(entry.nr_frames);
  stack.kernel_text.reserve(entry.text_bytes);
  for (std::size_t i = 0; i < entry.nr_frames; ++i) {
    const Location* frame = location(frames_[entry.first_frame + i]);
    if (frame == nullptr)
      return fail(ErrorKind::kFailed, fmt::format("an address of stack {} is lost", handle));
    stack.frames.push_back({frame->address, std::string(frame->symbol)});
    stack.kernel_text.append(1, ' ').append(frame->symbol).append(1, '\n');
  }
  const std::size_t bytes =
      sizeof(Stack) + entry.nr_frames * sizeof(Frame) + std::size_t{2} * entry.text_bytes;
  if (known_bytes_ + bytes > kKnownBytesMax) {
    known_.clear();
    known_bytes_ = 0;
  }
  known_bytes_ += bytes;
  return &known_.emplace(handle, std::move(stack)).first->second;
}

Result<std::string_view> ContextReader::cgroup_name(std::uint64_t id) const {
  const auto found = cgroups_.find(id);
  if (found == cgroups_.end())
    return fail(ErrorKind::kFailed, fmt::format("the name of cgroup {} is lost", id));
  if (!found->second.reason.empty()) return fail(ErrorKind::kFailed, found->second.reason);
  return cgroup_name_of(found->second.path);
}

Result<std::string> ContextReader::cgroup_path(std::uint64_t id) const {
  auto name = cgroup_name(id);
  if (!name) return fail(std::move(name).error());
  return cgroups_.find(id)->second.path;
}

std::vector<std::uint64_t> ContextReader::cgroups_above(std::uint64_t id) const {
  const auto found = cgroups_.find(id);
  return found == cgroups_.end() ? std::vector<std::uint64_t>() : found->second.above;
}

}  // namespace pobpf
