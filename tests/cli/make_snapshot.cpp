// SPDX-License-Identifier: GPL-2.0-only
// Writes the snapshot that standard input describes, to a file: one JSON object a line,
//   {"stack": 7, "frames": ["f+0x1/0x2", ...]}   addresses count up from 0xffffffff81000000
//   {"cgroup": 3, "name": "/a"}
//   {"page": PFN, "order": 0, ...}               fields of struct pobpf_page and pobpf_page_detail
// Texts stand for bytes: each character is one, so that "\u00ff" is not UTF-8 there.
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "snapshot/made_up_pages.h"

namespace {

using nlohmann::json;

std::string bytes(const json& text) {
  std::string result;
  const auto utf8 = text.get<std::string>();
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    const auto lead = static_cast<unsigned char>(utf8[i]);
    // what is beyond ASCII has two bytes below U+0100
    result += lead < 0x80 ? utf8[i]
                          : static_cast<char>((lead & 3U) << 6U |
                                              (static_cast<unsigned char>(utf8[++i]) & 0x3fU));
  }
  return result;
}

pobpf::SnapshotHeader header() {
  auto header = pobpf::test::made_up_header();
  header.facts->zone_names = {"DMA", "DMA32", "Normal", "Movable"};
  header.facts->page_flag_fields = {{4, 56, 15, "node"}, {2, 62, 3, "zone"}};
  return header;
}

pobpf_page page_of(const json& line) {
  pobpf_page page{};
  page.kind = POBPF_ITEM_PAGE;
  page.pfn = line["page"];
  page.order = line.value("order", std::uint16_t{0});
  page.handle = line.value("handle", 1U);
  page.gfp_mask = line.value("gfp_mask", 0U);
  page.pid = line.value("pid", 1);
  page.tgid = line.value("tgid", 1);
  pobpf::samples::set_comm(page, bytes(line.value("comm", json("init"))));
  page.ts_nsec = line.value("ts_nsec", std::uint64_t{0});
  page.free_ts_nsec = line.value("free_ts_nsec", std::uint64_t{0});
  page.flags = line.value("flags", std::uint64_t{0});
  page.pageblock_migratetype = line.value("pageblock_migratetype", std::uint8_t{0});
  page.last_migrate_reason = line.value("last_migrate_reason", std::int16_t{-1});
  page.memcg_flags = line.value("memcg_flags", std::uint8_t{0});
  page.cgroup_id = line.value("cgroup_id", std::uint64_t{0});
  return page;
}

pobpf_page_detail detail_of(const json& line) {
  pobpf_page_detail detail{};
  detail.mapping = line.value("mapping", std::uint8_t{0});
  detail.free_handle = line.value("free_handle", 0U);
  detail.free_pid = line.value("free_pid", 0);
  detail.free_tgid = line.value("free_tgid", 0);
  detail.has_free_pid = 1;
  detail.process_state = line.value("process_state", std::uint8_t{0});
  return detail;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  pobpf::samples::MadeUpContext context;
  std::vector<pobpf_page> pages;
  std::vector<pobpf_page_detail> details;
  for (std::string text; std::getline(std::cin, text);) {
    const json line = json::parse(text);
    if (line.contains("page")) {
      pages.push_back(page_of(line));
      details.push_back(detail_of(line));
    } else if (line.contains("cgroup")) {
      context.cgroups[line["cgroup"]] = bytes(line["name"]);
    } else {
      std::vector<std::string> frames;
      for (const json& frame : line["frames"]) frames.push_back(bytes(frame));
      context.add_stack(line["stack"], frames);
    }
  }
  std::string file;
  pobpf::SnapshotWriter writer(context, file, pobpf::kLevelDefault, pobpf::FreeSidePolicy::kRecord);
  if (!writer.begin(header()) || !writer.append(pages, pobpf::kAllPageFields, details) ||
      !writer.end(pobpf::test::account_of(pages.size())))
    return 1;
  std::ofstream(argv[1], std::ios::binary) << file;
  return 0;
}
