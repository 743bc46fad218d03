// SPDX-License-Identifier: GPL-2.0-only
// Pages into the columns of one message. Runs once a page, so neighbours that have all but their
// numbers in common take a short path.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/page_fields.h"
#include "pobpf/stream.h"
#include "snapshot.pb.h"
#include "snapshot/format.h"
#include "snapshot/value_index.h"

namespace pobpf {

/// Values with how often they repeat.
class RunColumn {
 public:
  void add(std::uint32_t value, std::uint32_t nr_pages) {
    if (!values_.empty() && values_.back() == value) {
      runs_.back() += nr_pages;
      return;
    }
    values_.push_back(value);
    runs_.push_back(nr_pages);
  }
  /// As runs, or as one value a page where that is shorter.
  void write(snapshot::Column& column, std::size_t nr_pages) const;
  void clear() {
    values_.clear();
    runs_.clear();
  }
  [[nodiscard]] bool has(std::uint64_t value) const {
    return std::find(values_.begin(), values_.end(), value) != values_.end();
  }

 private:
  std::vector<std::uint32_t> values_;
  std::vector<std::uint32_t> runs_;
};

/// The pages of a block so far.
class BlockEncoder {
 public:
  BlockEncoder();
  /// The fields that are known of the pages of the block, kAllPageFields unless set; call it on an
  /// empty block.
  void set_fields(PageFields fields) { fields_ = fields; }
  [[nodiscard]] PageFields fields() const { return fields_; }
  /// Not once it is full. Fields that are not known have to be zero.
  void add(const pobpf_page& page);
  /// Adds to the page added last, for all pages of a block or for none.
  void add_kind(const pobpf_page_detail& detail);
  /// Likewise.
  void add_free_side(const pobpf_page_detail& detail);
  /// Likewise.
  void add_process(const pobpf_page_detail& detail);
  [[nodiscard]] bool is_full() const { return nr_pages_ == kBlockPagesMax; }
  [[nodiscard]] bool is_empty() const { return nr_pages_ == 0; }

  struct Site {
    std::uint32_t handle;
    std::uint32_t gfp_mask;
    std::uint64_t order;
  };
  struct Task {
    std::int32_t pid;
    std::int32_t tgid;
    std::array<std::uint8_t, POBPF_COMM_BYTES> comm;
  };
  struct Charge {
    std::uint64_t cgroup_id;
    std::uint64_t flags;
  };
  struct Kind {
    std::uint64_t flags;
    std::uint32_t page_type;
    std::uint32_t mapping;
  };
  struct FreeSide {
    std::uint32_t handle;
    std::int32_t pid;
    std::int32_t tgid;
    std::uint32_t has_pid;
  };
  /// The pages so far refer to these.
  [[nodiscard]] const std::vector<Site>& sites() const { return sites_.values(); }
  [[nodiscard]] const std::vector<Charge>& charges() const { return charges_.values(); }
  [[nodiscard]] const std::vector<FreeSide>& free_sides() const { return free_sides_.values(); }

  /// The block as a message, valid until clear(), which has to be the next call.
  snapshot::Pages& finish();
  /// Begins the next block.
  void clear();

 private:
  void add_repeated();
  void add_shared(const pobpf_page& page);
  [[nodiscard]] bool has(PageField field) const { return has_field(fields_, field); }
  void write_columns();
  void write_sites();
  void write_tasks();
  void write_flags();
  void write_details();

  snapshot::Pages message_;
  std::vector<std::int64_t> gaps_;
  std::vector<std::uint64_t> ts_nsec_;
  std::vector<std::uint64_t> free_ts_nsec_;
  PageFields fields_ = kAllPageFields;
  std::size_t nr_pages_ = 0;
  pobpf_page last_{};

  // of the last page
  std::uint32_t nr_repeated_ = 0;  // pages that are not in the columns yet
  std::uint32_t site_ = 0;
  std::uint32_t task_ = 0;
  std::uint32_t flags_word_ = 0;
  std::uint32_t charge_ = 0;

  std::uint64_t next_pfn_ = 0;

  ValueIndex<Site> sites_;
  ValueIndex<Task> tasks_;
  ValueIndex<std::uint64_t> flag_words_;
  ValueIndex<Charge> charges_;
  ValueIndex<Kind> kinds_;
  ValueIndex<FreeSide> free_sides_;

  RunColumn site_column_;
  RunColumn task_column_;
  RunColumn was_freed_;
  RunColumn flags_;
  RunColumn pageblock_migratetype_;
  RunColumn last_migrate_reason_;
  RunColumn charge_column_;
  RunColumn is_freed_;
  RunColumn kind_column_;
  RunColumn free_side_column_;
  RunColumn process_;
  bool knows_processes_ = false;
};

}  // namespace pobpf
