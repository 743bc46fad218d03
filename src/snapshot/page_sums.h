// SPDX-License-Identifier: GPL-2.0-only
// Sums over pages of a file: what count_pages of bpf/page_owner.bpf.c does in the kernel.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/kernel_facts.h"
#include "model/page_fields.h"
#include "model/page_types.h"
#include "pobpf/stream.h"
#include "pobpf/sums.h"
#include "reader/session.h"
#include "snapshot/page_zone.h"
#include "sum/allocator.h"
#include "util/error.h"
#include "util/hash_map.h"

namespace pobpf {

/// Adds pages up by what SumRequest asks for. Not thread-safe.
class PageSums {
 public:
  /// `facts` and `types` are those of the machine that the pages are of.
  PageSums(const SumRequest& request, const KernelFacts& facts, const PageTypes& types);

  /// Room for fewer groups than was asked for, from now on.
  void limit_groups(std::uint32_t groups_max) { groups_max_ = groups_max; }

  /// The fields that have to be known of the pages.
  [[nodiscard]] PageFields needed_fields() const;
  /// These, and what is told apart only where it is known.
  [[nodiscard]] PageFields wanted_fields() const;
  /// kFailed if the fields that are needed are not known.
  [[nodiscard]] Status check_fields(PageFields known) const;

  /// `detail` may be null where PageField::kKind is not needed. Returns how many pages it is of.
  std::uint64_t add(const pobpf_page& page, const pobpf_page_detail* detail);
  /// A sum of which the pages are not known. `record`: what they have in common; no value: not
  /// known. kFailed if that leaves open how many pages there are.
  [[nodiscard]] Status add_sum(const pobpf_page& record, PageFields fields,
                               std::optional<std::uint64_t> nr_allocations,
                               std::optional<std::uint64_t> nr_pages);
  /// Index in GroupSums::groups of the group of what was added last; kOtherGroup: it is in none.
  [[nodiscard]] std::uint32_t group() const { return group_; }
  /// So far.
  [[nodiscard]] const std::vector<GroupSum>& groups() const { return sums_.groups; }
  /// All groups; nothing can be added any more. kFailed if the pages of an import did not all say
  /// what they are summed up by.
  [[nodiscard]] Result<GroupSums> take();

 private:
  [[nodiscard]] bool is_by(pobpf_group_field field) const {
    return (request_.group_by & static_cast<std::uint32_t>(field)) != 0;
  }
  [[nodiscard]] pobpf_group_key key_of(const pobpf_page& page, const pobpf_page_detail* detail);
  void set_zone(pobpf_group_key& key, std::uint64_t flags);
  /// The sum of the group of the page.
  pobpf_group_sum& sum_of(const pobpf_page& page, const pobpf_page_detail* detail);
  [[nodiscard]] std::uint32_t index_of(const pobpf_group_key& key);

  SumRequest request_;
  const KernelFacts& facts_;
  std::uint32_t stack_order_min_;
  PageZones zones_;
  std::string unknown_;  // what an import does not say of a page that was added
  // neighbours mostly are of one group
  std::optional<pobpf_group_key> key_;
  std::uint32_t group_ = kOtherGroup;
  HashMap<pobpf_group_key, std::uint32_t, GroupKeyEqual> index_;
  GroupSums sums_;
  std::uint32_t groups_max_ = UINT32_MAX;
};

}  // namespace pobpf
