// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/stack_messages.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "snapshot/contradiction.h"
#include "snapshot/format.h"

namespace pobpf {
namespace {

/// Of the stacks that were asked for, as PageContext keeps them.
constexpr std::size_t kTextsBytesMax = std::size_t{512} << 20;

template <typename Names>
std::size_t total_bytes(const Names& names) {
  std::size_t bytes = 0;
  for (const std::string& name : names) bytes += name.size();
  return bytes;
}

/// Of stacks and cgroups alike: positions of those that could not be read, with a reason each.
template <typename Message>
Status check_unreadable(const Message& message, int nr_entries) {
  if (message.unreadable_size() != message.reason_size())
    return contradiction("what could not be read has no reasons");
  for (const std::uint32_t at : message.unreadable())
    if (at >= static_cast<std::uint32_t>(nr_entries))
      return contradiction("what could not be read is not there");
  return {};
}

}  // namespace

void ContextWriter::add_stack(std::uint32_t handle, snapshot::Stacks& message) {
  if (!handles_.insert(handle).second) return;
  if (message.handle_size() == 0) last_address_ = 0;
  message.add_handle(handle);
  auto stack = context_.stack(handle);
  if (!stack) {
    message.add_nr_frames(0);
    message.add_unreadable(static_cast<std::uint32_t>(message.handle_size() - 1));
    message.add_reason(note(std::move(stack).error()));
    return;
  }
  if (message.symbol_size() == 0) message.set_first_location(locations_.size());
  message.add_nr_frames(static_cast<std::uint32_t>((*stack)->frames.size()));
  for (const Frame& frame : (*stack)->frames) message.add_location(location_of(frame, message));
}

std::uint64_t ContextWriter::location_of(const Frame& frame, snapshot::Stacks& message) {
  std::array<char, sizeof(frame.address)> address{};
  std::memcpy(address.data(), &frame.address, sizeof(frame.address));
  const auto [known, is_new] = locations_.try_emplace(
      frame.symbol + std::string(address.data(), address.size()), locations_.size());
  if (!is_new) return known->second;
  message.add_symbol(frame.symbol);
  message.add_address(difference(frame.address, last_address_));
  last_address_ = frame.address;
  return known->second;
}

void ContextWriter::add_cgroup(std::uint64_t id, snapshot::Cgroups& message) {
  if (!cgroup_ids_.insert(id).second) return;
  message.add_id(id);
  auto name = context_.cgroup_name(id);
  message.add_name(name ? std::string(*name) : std::string());
  if (name) return;
  message.add_unreadable(static_cast<std::uint32_t>(message.id_size() - 1));
  message.add_reason(note(std::move(name).error()));
}

std::string ContextWriter::note(Error error) {
  std::string what = error.what;
  if (nr_unreadable_++ == 0) first_error_ = std::move(error);
  return what;
}

Status ContextReader::check(const snapshot::Stacks& message, bool is_salvaging) const {
  const auto nr_symbols = static_cast<std::size_t>(message.symbol_size());
  const bool has_addresses = message.address_size() != 0;
  if (has_addresses && message.address_size() != message.symbol_size())
    return contradiction("the columns of its addresses differ in length");
  if (nr_symbols != 0 && !is_salvaging && message.first_location() != locations_.size())
    return contradiction("its addresses do not follow those before");
  if (message.first_location() > UINT32_MAX - nr_symbols)
    return contradiction("it has more addresses than there can be");
  for (std::size_t i = 0; i < nr_symbols; ++i)
    if (locations_.contains(static_cast<std::uint32_t>(message.first_location() + i)))
      return contradiction("its addresses are those of something before it");
  for (const std::string& symbol : message.symbol())
    if (symbol.size() > kNameBytesMax) return contradiction("a symbol is too long");
  if (names_bytes_ + total_bytes(message.symbol()) > kNamesBytesMax)
    return contradiction("its symbols take too much memory");

  const auto nr_stacks = static_cast<std::size_t>(message.handle_size());
  if (message.nr_frames_size() != message.handle_size())
    return contradiction("the columns of its stacks differ in length");
  std::uint64_t nr_frames = 0;
  for (const std::uint32_t frames : message.nr_frames()) nr_frames += frames;
  if (nr_frames != static_cast<std::uint64_t>(message.location_size()))
    return contradiction("its stacks have other frames than it holds");
  if (stacks_.size() + nr_stacks > kStacksMax || frames_.size() + nr_frames > kStackFramesMax)
    return contradiction("it has more stacks than there can be");
  const std::uint64_t end_location = is_salvaging ? UINT32_MAX : locations_.size() + nr_symbols;
  for (const std::uint64_t location : message.location())
    if (location >= end_location) return contradiction("a stack refers to an unknown address");
  return check_unreadable(message, message.handle_size());
}

void ContextReader::add_locations(const snapshot::Stacks& message) {
  std::uint64_t address = 0;
  auto index = static_cast<std::uint32_t>(message.first_location());
  for (int i = 0; i < message.symbol_size(); ++i) {
    if (message.address_size() != 0) address = plus(address, message.address(i));
    locations_[index++] = {address, message.symbol(i)};
  }
  names_bytes_ += total_bytes(message.symbol());
}

Status ContextReader::add(const snapshot::Stacks& message, bool is_salvaging) {
  if (auto status = check(message, is_salvaging); !status) return status;
  add_locations(message);
  std::size_t first_frame = frames_.size();
  for (const std::uint64_t location : message.location())
    frames_.push_back(static_cast<std::uint32_t>(location));
  for (int i = 0; i < message.handle_size(); ++i) {
    StackEntry entry;
    entry.first_frame = first_frame;
    entry.nr_frames = message.nr_frames(i);
    first_frame += entry.nr_frames;
    if (!stacks_.emplace(message.handle(i), std::move(entry)).second)
      return contradiction(fmt::format("the stack {} is there twice", message.handle(i)));
  }
  for (int i = 0; i < message.unreadable_size(); ++i)
    stacks_[message.handle(static_cast<int>(message.unreadable(i)))].reason = message.reason(i);
  return {};
}

Status ContextReader::add(const snapshot::Cgroups& message) {
  if (message.id_size() != message.name_size())
    return contradiction("the columns of its cgroups differ in length");
  if (cgroups_.size() + static_cast<std::size_t>(message.id_size()) > kCgroupsMax)
    return contradiction("it has more cgroups than there can be");
  for (const std::string& name : message.name())
    if (name.size() > kNameBytesMax) return contradiction("the name of a cgroup is too long");
  if (names_bytes_ + total_bytes(message.name()) > kNamesBytesMax)
    return contradiction("the names of its cgroups take too much memory");
  if (auto status = check_unreadable(message, message.id_size()); !status) return status;
  for (int i = 0; i < message.id_size(); ++i)
    if (!cgroups_.emplace(message.id(i), CgroupEntry{message.name(i), {}}).second)
      return contradiction(fmt::format("the cgroup {} is there twice", message.id(i)));
  names_bytes_ += total_bytes(message.name());
  for (int i = 0; i < message.unreadable_size(); ++i)
    cgroups_[message.id(static_cast<int>(message.unreadable(i)))].reason = message.reason(i);
  return {};
}

Result<const Stack*> ContextReader::stack(std::uint32_t handle) {
  const auto found = stacks_.find(handle);
  if (found == stacks_.end())
    return fail(ErrorKind::kFailed, fmt::format("stack {} is lost", handle));
  StackEntry& entry = found->second;
  if (entry.stack) return entry.stack.get();
  if (!entry.reason.empty()) return fail(ErrorKind::kFailed, entry.reason);
  auto stack = std::make_unique<Stack>();
  for (std::size_t i = 0; i < entry.nr_frames; ++i) {
    const auto location = locations_.find(frames_[entry.first_frame + i]);
    if (location == locations_.end())
      return fail(ErrorKind::kFailed, fmt::format("an address of stack {} is lost", handle));
    const auto& [address, symbol] = location->second;
    stack->frames.push_back({address, symbol});
    stack->kernel_text.append(1, ' ').append(symbol).append(1, '\n');
    texts_bytes_ += sizeof(Frame) + 2 * symbol.size() + 2;
    if (texts_bytes_ > kTextsBytesMax)
      return fail(ErrorKind::kFailed, "the stacks of the snapshot take too much memory",
                  "try --mode handle, which needs no stacks", ENOMEM);
  }
  entry.stack = std::move(stack);
  return entry.stack.get();
}

Result<std::string_view> ContextReader::cgroup_name(std::uint64_t id) const {
  const auto found = cgroups_.find(id);
  if (found == cgroups_.end())
    return fail(ErrorKind::kFailed, fmt::format("the name of cgroup {} is lost", id));
  if (!found->second.reason.empty()) return fail(ErrorKind::kFailed, found->second.reason);
  return std::string_view(found->second.name);
}

}  // namespace pobpf
