// SPDX-License-Identifier: GPL-2.0-only
// Raw type information, compared with what libbpf reads of the same bytes.
#include "kernel/btf_view.h"

#include <bpf/btf.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>

#include "../util/temp_dir.h"
#include "kernel/btf.h"
#include "kernel/btf_excerpt.h"
#include "libbpf_btf.h"

namespace pobpf {
namespace {

using test::Btf;
using test::bytes_of;

/// One of each kind that this libbpf can make.
Btf all_kinds() {
  Btf object(btf__new_empty());
  const int number = btf__add_int(object.get(), "int", 4, BTF_INT_SIGNED);
  btf__add_float(object.get(), "double", 8);
  const int pointer = btf__add_ptr(object.get(), number);
  const int array = btf__add_array(object.get(), number, pointer, 5);
  const int composite = btf__add_struct(object.get(), "thing", 56);
  btf__add_field(object.get(), "first", number, 0, 0);
  btf__add_field(object.get(), "bits", number, 32, 3);
  btf__add_field(object.get(), "list", array, 64, 0);
  btf__add_union(object.get(), "either", 8);
  btf__add_field(object.get(), "one", pointer, 0, 0);
  btf__add_enum(object.get(), "small", 4);
  btf__add_enum_value(object.get(), "SMALL", -1);
  btf__add_enum64(object.get(), "large", 8, false);
  btf__add_enum64_value(object.get(), "LARGE", 1ULL << 40);
  btf__add_fwd(object.get(), "later", BTF_FWD_STRUCT);
  const int name = btf__add_typedef(object.get(), "name_t", composite);
  const int constant = btf__add_const(object.get(), name);
  btf__add_array(object.get(), number, constant, 3);
  btf__add_volatile(object.get(), number);
  btf__add_restrict(object.get(), pointer);
  const int prototype = btf__add_func_proto(object.get(), number);
  btf__add_func_param(object.get(), "x", number);
  btf__add_func(object.get(), "run", BTF_FUNC_GLOBAL, prototype);
  const int variable = btf__add_var(object.get(), "v", BTF_VAR_STATIC, number);
  btf__add_datasec(object.get(), ".data", 4);
  btf__add_datasec_var_info(object.get(), variable, 0, 4);
  btf__add_decl_tag(object.get(), "note", composite, -1);
  btf__add_type_tag(object.get(), "tag", number);
  return object;
}

class BtfViewTest : public ::testing::Test {
 protected:
  Result<BtfView> open(const std::string& bytes) const {
    directory_.write("btf", bytes);
    return BtfView::open(directory_ / "btf");
  }

  test::TempDir directory_;
};

/// Everything that can be asked of a view, so that a wrong one is noticed (ASan).
std::size_t look_at_all(const BtfView& view) {
  std::size_t sum = 0;
  for (std::uint32_t id = 0; id < view.nr_types() + 2; ++id) {
    const btf_type* const type = view.type(id);
    if (type == nullptr) continue;
    sum += view.name(type->name_off).size() + view.resolve(id) + view.size_of(id).value_or(0);
    if (btf_is_composite(type))
      for (std::uint32_t i = 0; i < btf_vlen(type); ++i)
        sum += view.name(btf_members(type)[i].name_off).size();
  }
  return sum;
}

void expect_same(const BtfView& view, const btf* object) {
  ASSERT_EQ(view.nr_types(), btf__type_cnt(object));
  for (std::uint32_t id = 1; id < view.nr_types(); ++id) {
    const btf_type* const ours = view.type(id);
    const btf_type* const theirs = btf__type_by_id(object, id);
    ASSERT_EQ(ours->info, theirs->info) << id;
    ASSERT_EQ(ours->size, theirs->size) << id;
    ASSERT_EQ(view.name(ours->name_off), btf__name_by_offset(object, theirs->name_off)) << id;
    const std::int64_t size = btf__resolve_size(object, id);
    // libbpf gives these the size of the type that they are about; nobody asks us
    if (btf_is_var(ours) || btf_is_datasec(ours) || btf_is_decl_tag(ours)) continue;
    const auto our_size = view.size_of(id);
    ASSERT_EQ(our_size ? std::int64_t{*our_size} : -1, size < 0 ? -1 : size) << id;
  }
}

TEST_F(BtfViewTest, EachKindIsWhatLibbpfReads) {
  const Btf object = all_kinds();
  const auto view = open(bytes_of(object.get()));
  ASSERT_TRUE(view) << view.error().what;
  EXPECT_GT(view->nr_types(), 18U);
  expect_same(*view, object.get());
  EXPECT_EQ(view->type(0), nullptr);
  EXPECT_EQ(view->type(view->nr_types()), nullptr);
  EXPECT_EQ(view->name(UINT32_MAX), "");
}

TEST_F(BtfViewTest, TheRunningKernelIsWhatLibbpfReads) {
  const char* const path = "/sys/kernel/btf/vmlinux";
  ASSERT_TRUE(std::filesystem::exists(path)) << "tests need a kernel with BTF";
  const auto view = BtfView::open(path);
  ASSERT_TRUE(view) << view.error().what;
  const Btf object(btf__parse(path, nullptr));
  ASSERT_TRUE(object);
  EXPECT_GT(view->nr_types(), 10000U);
  expect_same(*view, object.get());
}

TEST_F(BtfViewTest, LookUpsByNameAreLibbpfs) {
  const auto kernel = KernelBtf::load({"page", "rq", "task_struct", "no_such_type_at_all"});
  ASSERT_TRUE(kernel) << kernel.error().what;
  const Btf object(btf__parse("/sys/kernel/btf/vmlinux", nullptr));
  for (const char* name : {"page", "rq", "task_struct", "mm_struct", "pid"})
    EXPECT_EQ(kernel->composite_id(name), static_cast<std::uint32_t>(btf__find_by_name_kind(
                                              object.get(), name, BTF_KIND_STRUCT)))
        << name;
  EXPECT_FALSE(kernel->composite_id("no_such_type_at_all"));
  EXPECT_FALSE(kernel->size_of("no_such_type_either"));
  for (const std::uint32_t id : kernel->ids_of({"page", "rq"})) {
    const std::string_view name = kernel->view().name(kernel->view().type(id)->name_off);
    EXPECT_TRUE(name == "page" || name == "rq") << name;
  }
  EXPECT_GE(kernel->ids_of({"page", "rq"}).size(), 2U);
}

TEST_F(BtfViewTest, CutAndChangedBytesAreRefusedOrHarmless) {
  const std::string good = bytes_of(all_kinds().get());
  for (std::size_t length = 0; length < good.size(); ++length)
    EXPECT_FALSE(open(good.substr(0, length))) << length;
  std::size_t nr_refused = 0;
  for (std::size_t at = 0; at < good.size(); ++at)
    for (const int change : {0x01, 0x80, 0xff}) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ change);
      const auto view = open(bad);
      if (view)
        look_at_all(*view);
      else
        ++nr_refused;
    }
  EXPECT_GT(nr_refused, 20U);
}

/// Types of a kind that this pobpf does not know: bytes behind them, once and for each element.
struct LaterKind {
  std::uint32_t kind;
  std::uint8_t info_bytes;
  std::uint8_t element_bytes;
};

/// Where the type of this name lies that is a float.
std::size_t place_of_float(const std::string& bytes, const btf* object, const char* name) {
  const int id = btf__find_by_name_kind(object, name, BTF_KIND_FLOAT);
  const btf_type* const type = btf__type_by_id(object, static_cast<__u32>(id));
  return bytes.find({reinterpret_cast<const char*>(type), sizeof(*type)});
}

void add_u32(std::string& bytes, std::size_t at, std::uint32_t more) {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  value += more;
  std::memcpy(bytes.data() + at, &value, sizeof(value));
}

/// Makes the float of this name a type of the later kind, with elements.
void make_later(std::string& bytes, const btf* object, const char* name, const LaterKind& later,
                std::uint32_t nr_elements) {
  const std::size_t at = place_of_float(bytes, object, name);
  const std::uint32_t info = later.kind << 24U | nr_elements;
  std::memcpy(bytes.data() + at + offsetof(btf_type, info), &info, sizeof(info));
  std::string behind;
  const std::size_t nr_behind = later.info_bytes + std::size_t{nr_elements} * later.element_bytes;
  while (behind.size() < nr_behind) {
    // as members and parameters have: names and ids
    const std::uint32_t word = behind.size() % 8 == 0 ? 1 : 3;
    behind.append(reinterpret_cast<const char*>(&word), sizeof(word));
  }
  behind.resize(nr_behind);
  bytes.insert(at + sizeof(btf_type), behind);
  const auto nr_bytes = static_cast<std::uint32_t>(behind.size());
  add_u32(bytes, offsetof(btf_header, type_len), nr_bytes);
  add_u32(bytes, offsetof(btf_header, str_off), nr_bytes);
}

/// The part of the header that every kernel has.
constexpr std::size_t kHeaderBytes = offsetof(btf_header, str_len) + sizeof(btf_header::str_len);

/// Adds what Linux 7.1 says of its kinds.
void add_layouts(std::string& bytes, const LaterKind& later) {
  std::string layouts((later.kind + 1) * 4, '\0');
  layouts[later.kind * 4] = static_cast<char>(later.info_bytes);
  layouts[later.kind * 4 + 1] = static_cast<char>(later.element_bytes);
  const std::uint32_t section[] = {static_cast<std::uint32_t>(bytes.size() - kHeaderBytes),
                                   static_cast<std::uint32_t>(layouts.size())};
  bytes.append(layouts);
  bytes.insert(kHeaderBytes, {reinterpret_cast<const char*>(section), sizeof(section)});
  add_u32(bytes, offsetof(btf_header, hdr_len), sizeof(section));
}

TEST_F(BtfViewTest, KindsThatCameLaterAreSteppedOver) {
  for (const LaterKind& later :
       {LaterKind{20, 0, 0}, {20, 4, 0}, {21, 0, 8}, {31, 8, 12}, {33, 4, 4}, {127, 12, 16}}) {
    for (const bool has_layouts : {false, true}) {
      SCOPED_TRACE(testing::Message() << later.kind << ' ' << has_layouts);
      Btf object(btf__new_empty());
      const int number = btf__add_int(object.get(), "int", 4, BTF_INT_SIGNED);
      const int first = btf__add_float(object.get(), "later_1", 8);
      btf__add_struct(object.get(), "before", 8);
      btf__add_field(object.get(), "x", number, 0, 0);
      btf__add_field(object.get(), "of_later_kind", first, 32, 0);
      btf__add_float(object.get(), "later_2", 8);
      btf__add_struct(object.get(), "behind", 16);
      btf__add_field(object.get(), "y", number, 32, 0);
      btf__add_enum(object.get(), "values", 4);
      btf__add_enum_value(object.get(), "VALUE", 7);
      std::string bytes = bytes_of(object.get());
      make_later(bytes, object.get(), "later_1", later, 3);
      make_later(bytes, object.get(), "later_2", later, 5);
      if (has_layouts) add_layouts(bytes, later);

      directory_.write("btf", bytes);
      const auto kernel = KernelBtf::load_file(directory_ / "btf");
      ASSERT_TRUE(kernel) << kernel.error().what;
      EXPECT_EQ(kernel->view().nr_types(), btf__type_cnt(object.get()));
      EXPECT_EQ(kernel->offset_of("before", "x"), 0U);
      EXPECT_EQ(kernel->offset_of("behind", "y"), 4U);
      EXPECT_EQ(kernel->enum_value("values", "VALUE"), 7U);
      EXPECT_FALSE(kernel->view().size_of(static_cast<std::uint32_t>(first)));
      look_at_all(kernel->view());

      // what a program asks for is there, without the member that nobody can tell the size of
      auto excerpt = excerpt_btf(*kernel, object.get());
      ASSERT_TRUE(excerpt) << excerpt.error().what;
      const auto excerpt_view =
          open({reinterpret_cast<const char*>(excerpt->data()), excerpt->size()});
      ASSERT_TRUE(excerpt_view) << excerpt_view.error().what;
      directory_.write("excerpt",
                       {reinterpret_cast<const char*>(excerpt->data()), excerpt->size()});
      const auto found = KernelBtf::load_file(directory_ / "excerpt");
      ASSERT_TRUE(found);
      EXPECT_EQ(found->offset_of("before", "x"), 0U);
      EXPECT_FALSE(found->offset_of("before", "of_later_kind"));
      EXPECT_EQ(found->offset_of("behind", "y"), 4U);
    }
  }
}

TEST_F(BtfViewTest, HiddenNamesAreNowhere) {
  Btf object(btf__new_empty());
  const int number = btf__add_int(object.get(), "int", 4, BTF_INT_SIGNED);
  for (const char* name : {"one", "other"}) {
    btf__add_struct(object.get(), name, 8);
    btf__add_field(object.get(), "x", number, 0, 0);
    btf__add_field(object.get(), "y", number, 32, 0);
  }
  btf__add_enum(object.get(), "values", 4);
  btf__add_enum_value(object.get(), "FIRST", 1);
  btf__add_enum_value(object.get(), "SECOND", 2);
  directory_.write("btf", bytes_of(object.get()));
  auto kernel = KernelBtf::load_file(directory_ / "btf");
  ASSERT_TRUE(kernel) << kernel.error().what;
  for (const char* name : {"one.x", "FIRST"}) kernel->hide(name);
  EXPECT_FALSE(kernel->offset_of("one", "x"));
  EXPECT_EQ(kernel->offset_of("one", "y"), 4U);
  EXPECT_EQ(kernel->offset_of("other", "x"), 0U);
  EXPECT_FALSE(kernel->enum_value("values", "FIRST"));
  EXPECT_FALSE(kernel->any_enum_value("FIRST"));
  EXPECT_EQ(kernel->enum_value("values", "SECOND"), 2U);

  // nor are they in what programs are relocated against
  auto excerpt = excerpt_btf(*kernel, object.get());
  ASSERT_TRUE(excerpt) << excerpt.error().what;
  directory_.write("excerpt", {reinterpret_cast<const char*>(excerpt->data()), excerpt->size()});
  const auto found = KernelBtf::load_file(directory_ / "excerpt");
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->offset_of("one", "x"));
  EXPECT_EQ(found->offset_of("one", "y"), 4U);
  EXPECT_EQ(found->offset_of("other", "x"), 0U);

  kernel->hide("one");
  EXPECT_FALSE(kernel->size_of("one"));
  EXPECT_TRUE(kernel->size_of("other"));
}

TEST_F(BtfViewTest, ALaterKindOfAWholeKernelIsSteppedOver) {
  const Btf object(btf__parse("/sys/kernel/btf/vmlinux", nullptr));
  ASSERT_TRUE(object);
  btf__add_float(object.get(), "pobpf_later", 8);
  btf__add_struct(object.get(), "pobpf_behind", 4);
  std::string bytes = bytes_of(object.get());
  make_later(bytes, object.get(), "pobpf_later", {20, 4, 8}, 2);
  directory_.write("btf", bytes);
  const auto kernel = KernelBtf::load_file(directory_ / "btf");
  ASSERT_TRUE(kernel) << kernel.error().what;
  EXPECT_EQ(kernel->view().nr_types(), btf__type_cnt(object.get()));
  EXPECT_TRUE(kernel->size_of("task_struct"));
  EXPECT_EQ(kernel->size_of("pobpf_behind"), 4U);
}

TEST_F(BtfViewTest, LayoutsThatLeadBetweenWordsAreRefused) {
  for (const LaterKind& later : {LaterKind{20, 2, 0}, {20, 0, 2}}) {
    Btf object(btf__new_empty());
    btf__add_float(object.get(), "later_1", 8);
    btf__add_int(object.get(), "int", 4, 0);
    btf__add_float(object.get(), "later_2", 8);
    std::string bytes = bytes_of(object.get());
    make_later(bytes, object.get(), "later_1", later, 1);
    make_later(bytes, object.get(), "later_2", later, 1);
    add_layouts(bytes, later);
    EXPECT_FALSE(open(bytes));
  }
}

TEST_F(BtfViewTest, ChangedLayoutsAreRefusedOrHarmless) {
  const Btf object = all_kinds();
  btf__add_float(object.get(), "later", 8);
  std::string good = bytes_of(object.get());
  const LaterKind later{20, 4, 8};
  make_later(good, object.get(), "later", later, 2);
  add_layouts(good, later);
  ASSERT_TRUE(open(good));
  for (std::size_t at = 0; at < good.size(); ++at)
    for (const int change : {0x01, 0x02, 0x10, 0x80, 0xff}) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ change);
      if (const auto view = open(bad)) look_at_all(*view);
    }
}

TEST_F(BtfViewTest, AKindThatCannotBeSteppedOverIsNamedAsTheReason) {
  Btf object(btf__new_empty());
  btf__add_float(object.get(), "later", 8);
  btf__add_int(object.get(), "int", 4, 0);
  std::string bytes = bytes_of(object.get());
  // longer than any that is tried out
  make_later(bytes, object.get(), "later", {20, 64, 0}, 0);
  const auto view = open(bytes);
  ASSERT_FALSE(view);
  EXPECT_EQ(view.error().os_errno, EOPNOTSUPP);
}

TEST_F(BtfViewTest, TypesInALoopEnd) {
  Btf object(btf__new_empty());
  btf__add_typedef(object.get(), "a", 2);
  btf__add_typedef(object.get(), "b", 1);
  btf__add_array(object.get(), 1, 3, 1);
  const auto view = open(bytes_of(object.get()));
  ASSERT_TRUE(view);
  look_at_all(*view);
  EXPECT_FALSE(view->size_of(1));
  EXPECT_FALSE(view->size_of(3));
}

}  // namespace
}  // namespace pobpf
