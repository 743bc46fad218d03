// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/symbol_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "kernel/btf.h"
#include "kernel/symbol_list.h"
#include "util/report_hint.h"

namespace pobpf {
namespace {

/// More modules than any machine has: the list was followed while it changed.
constexpr std::size_t kModulesMax = 10'000;

tl::unexpected<Error> unknown_modules(const std::string& what) {
  return fail(ErrorKind::kUnsupported, "this kernel's modules cannot be read: " + what,
              kReportKernel);
}

std::uint64_t number_at(const std::vector<std::byte>& bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "supported kernels are little endian");
  if (at + size <= bytes.size()) std::memcpy(&value, bytes.data() + at, size);
  return value;
}

/// Where struct module keeps what is needed, in bytes from its start.
struct ModuleLayout {
  struct Text {
    std::uint32_t base_at;
    std::uint32_t size_at;
  };
  std::uint32_t bytes = 0;
  std::uint32_t list_at = 0;
  std::uint32_t state_at = 0;
  std::uint32_t name_at = 0;
  std::uint32_t name_bytes = 0;
  std::uint64_t unformed = 0;  ///< MODULE_STATE_UNFORMED
  std::vector<Text> texts;
};

Result<ModuleLayout> find_module_layout(const KernelBtf& btf) {
  const auto bytes = btf.size_of("module");
  const auto list_at = btf.offset_of("module", "list");
  const auto state_at = btf.offset_of("module", "state");
  const auto name_at = btf.offset_of("module", "name");
  const auto name_bytes = btf.array_length("module", "name");
  const auto unformed = btf.enum_value("module_state", "MODULE_STATE_UNFORMED");
  if (!bytes || !list_at || !state_at || !name_at || !name_bytes || !unformed)
    return unknown_modules("struct module is not what pobpf knows");
  ModuleLayout layout{*bytes, *list_at, *state_at, *name_at, *name_bytes, *unformed, {}};

  // v6.4: ac3b43283923 ("module: replace module_layout with module_memory")
  if (const auto memory_at = btf.offset_of("module", "mem")) {
    const auto each = btf.size_of("module_memory");
    const auto base_at = btf.offset_of("module_memory", "base");
    const auto size_at = btf.offset_of("module_memory", "size");
    const auto text = btf.enum_value("mod_mem_type", "MOD_TEXT");
    const auto init_text = btf.enum_value("mod_mem_type", "MOD_INIT_TEXT");
    if (!each || !base_at || !size_at || !text || !init_text)
      return unknown_modules("struct module_memory is not what pobpf knows");
    for (const std::uint64_t type : {*text, *init_text}) {
      const auto at = static_cast<std::uint32_t>(*memory_at + type * *each);
      layout.texts.push_back({at + *base_at, at + *size_at});
    }
    return layout;
  }
  const auto base_at = btf.offset_of("module_layout", "base");
  const auto size_at = btf.offset_of("module_layout", "text_size");
  for (const char* member : {"core_layout", "init_layout"}) {
    const auto at = btf.offset_of("module", member);
    if (!at || !base_at || !size_at)
      return unknown_modules("struct module_layout is not what pobpf knows");
    layout.texts.push_back({*at + *base_at, *at + *size_at});
  }
  return layout;
}

/// Follows the list that starts at `head`. What is read may be going away: an entry counts only if
/// its neighbour points back at it.
Result<std::vector<KernelModule>> read_modules(KernelMemory& memory, const ModuleLayout& layout,
                                               std::uint64_t head) {
  constexpr const char* kChanging = "the list of modules changed while it was read";
  std::vector<KernelModule> modules;
  auto next = memory.read_number(head, sizeof(std::uint64_t));
  if (!next) return fail(std::move(next).error());
  for (std::uint64_t at = *next, previous = head; at != head;) {
    auto bytes = memory.read(at - layout.list_at, layout.bytes);
    if (!bytes) return fail(std::move(bytes).error().in(kChanging));
    if (number_at(*bytes, layout.list_at + sizeof(std::uint64_t), sizeof(std::uint64_t)) !=
            previous ||
        modules.size() == kModulesMax)
      return fail(ErrorKind::kFailed, kChanging, "run pobpf again");
    if (number_at(*bytes, layout.state_at, sizeof(std::uint32_t)) != layout.unformed) {
      const auto* const name = reinterpret_cast<const char*>(bytes->data()) + layout.name_at;
      KernelModule module{std::string(name, strnlen(name, layout.name_bytes)), {}};
      for (const auto& text : layout.texts) {
        const std::uint64_t base = number_at(*bytes, text.base_at, sizeof(std::uint64_t));
        const std::uint64_t size = number_at(*bytes, text.size_at, sizeof(std::uint32_t));
        if (base != 0 && size != 0) module.texts.push_back({base, base + size});
      }
      modules.push_back(std::move(module));
    }
    previous = at;
    at = number_at(*bytes, layout.list_at, sizeof(std::uint64_t));
  }
  std::sort(modules.begin(), modules.end(),
            [](const KernelModule& a, const KernelModule& b) { return a.name < b.name; });
  return modules;
}

/// include/linux/module_symbol.h: is_mapping_symbol()
bool is_mapping_symbol(std::string_view name) {
  return name.starts_with(".L") || name.starts_with("L0") || name.starts_with('$');
}

/// Undefined symbols are listed until the module is initialised, with the addresses of others.
bool ends_module_symbols(const pobpf_symbol& symbol, std::string_view name) {
  return symbol.type != 'U' && symbol.type != 'u' && !name.empty() && !is_mapping_symbol(name);
}

/// kernel/kallsyms.c: cleanup_symbol_name() until v6.6, as compilers promote static functions.
bool matches(const NamePredicate& is_wanted, std::string_view name) {
  if (is_wanted(name)) return true;
  const std::size_t suffix = name.find(".llvm.");
  return suffix != std::string_view::npos && is_wanted(name.substr(0, suffix));
}

}  // namespace

std::vector<std::string> code_symbols() {
  return {"_stext", "_etext", "_sinittext", "_einittext", "modules"};
}

Result<CodePlaces> find_code(const KernelMemory& memory) {
  CodePlaces places;
  // code of __init functions is freed and never code again, but handles of boot time name it
  for (const auto& [begin, end] :
       {std::pair("_stext", "_etext"), std::pair("_sinittext", "_einittext")}) {
    const auto first = memory.symbol(begin);
    const auto last = memory.symbol(end);
    if (!first || !last)
      return fail(ErrorKind::kUnsupported,
                  fmt::format("the kernel's symbol table has no {}", first ? end : begin),
                  kReportKernel);
    places.kernel_texts.push_back({*first, *last});
  }
  // a kernel without CONFIG_MODULES has none
  places.modules = memory.symbol("modules");
  return places;
}

Result<SymbolTable> SymbolTable::open(const SymbolSources& sources,
                                      std::optional<CodePlaces> places) {
  auto memory = KernelMemory::open(places ? std::vector<std::string>() : code_symbols(), sources);
  if (!memory) return fail(std::move(memory).error());
  if (!places) {
    auto found = find_code(*memory);
    if (!found) return fail(std::move(found).error());
    places = *std::move(found);
  }
  SymbolTable table(sources);
  table.kernel_texts_ = std::move(places->kernel_texts);
  if (!places->modules) return table;
  auto btf =
      KernelBtf::load({"module", "module_state", "module_memory", "mod_mem_type", "module_layout"});
  if (!btf) return fail(std::move(btf).error());
  auto layout = find_module_layout(*btf);
  if (!layout) return fail(std::move(layout).error());
  constexpr int kTries = 3;
  for (int i = 1;; ++i) {
    auto modules = read_modules(*memory, *layout, *places->modules);
    if (!modules && i < kTries) continue;
    if (!modules) return fail(std::move(modules).error());
    table.modules_ = *std::move(modules);
    return table;
  }
}

Result<std::vector<AddressRange>> SymbolTable::symbol_ranges(const NamePredicate& is_wanted) {
  struct ModuleSymbol {
    std::uint64_t address;
    bool is_wanted;
  };
  std::vector<AddressRange> texts;
  for (const KernelModule& module : modules_)
    texts.insert(texts.end(), module.texts.begin(), module.texts.end());
  SymbolRanges of_kernel;
  // in the order of each module's ELF file, so they have to be sorted; the kernel's own are
  std::vector<ModuleSymbol> module_symbols;
  auto status = list_symbols(sources_, [&](const pobpf_symbol& symbol, std::string_view name) {
    const bool wanted = is_function(symbol) && matches(is_wanted, name);
    if (symbol.is_module == 0)
      of_kernel.add(symbol.address, wanted);
    else if (ends_module_symbols(symbol, name))
      module_symbols.push_back({symbol.address, wanted});
  });
  if (!status) return fail(std::move(status).error());
  std::sort(module_symbols.begin(), module_symbols.end(),
            [](const ModuleSymbol& a, const ModuleSymbol& b) { return a.address < b.address; });
  SymbolRanges of_modules;
  for (const ModuleSymbol& symbol : module_symbols)
    of_modules.add(symbol.address, symbol.is_wanted);
  auto ranges = std::move(of_kernel).within(kernel_texts_);
  const auto more = std::move(of_modules).within(texts);
  ranges.insert(ranges.end(), more.begin(), more.end());
  return joined(std::move(ranges));
}

std::vector<AddressRange> SymbolTable::module_ranges(const NamePredicate& is_wanted) const {
  std::vector<AddressRange> ranges;
  for (const KernelModule& module : modules_)
    if (is_wanted(module.name))
      ranges.insert(ranges.end(), module.texts.begin(), module.texts.end());
  return joined(std::move(ranges));
}

}  // namespace pobpf
