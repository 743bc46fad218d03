// SPDX-License-Identifier: GPL-2.0-only
#include "model/cgroup_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace pobpf {
namespace {

const std::string kId = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

TEST(ParseCgroupId, TakesNumbersBehindId) {
  EXPECT_EQ(parse_cgroup_id("id:1").value(), 1U);
  EXPECT_EQ(parse_cgroup_id("id:18446744073709551615").value(), UINT64_MAX);
  for (const char* path : {"/id:1", "id", "/", "a/id:1", "ID:1"})
    EXPECT_EQ(parse_cgroup_id(path).value(), std::nullopt) << path;
  for (const char* wrong :
       {"id:", "id:0", "id:-1", "id: 1", "id:1x", "id:0x1", "id:18446744073709551616"}) {
    const auto id = parse_cgroup_id(wrong);
    ASSERT_FALSE(id) << wrong;
    EXPECT_EQ(id.error().kind, ErrorKind::kUsage);
  }
}

TEST(ShortCgroupPath, LeavesOutMostOfTheIdsOfContainersAndPods) {
  EXPECT_EQ(short_cgroup_path("/system.slice/docker-" + kId + ".scope"),
            "/system.slice/docker-0123456789ab*.scope");
  EXPECT_EQ(short_cgroup_path("/docker/" + kId), "/docker/0123456789ab*");
  EXPECT_EQ(short_cgroup_path("/kubepods/burstable/pod1a2b3c4d-5e6f-7a8b-9c0d-1e2f3a4b5c6d/" + kId),
            "/kubepods/burstable/pod1a2b3c4d*/0123456789ab*");
  EXPECT_EQ(short_cgroup_path("/kubepods.slice/kubepods-burstable.slice/"
                              "kubepods-burstable-pod1a2b3c4d_5e6f_7a8b_9c0d_1e2f3a4b5c6d.slice/"
                              "cri-containerd-" +
                              kId + ".scope"),
            "/kubepods.slice/*-burstable.slice/*-pod1a2b3c4d*.slice/"
            "cri-containerd-0123456789ab*.scope");
}

TEST(ShortCgroupPath, ShowsWhatSystemdHasEscaped) {
  EXPECT_EQ(short_cgroup_path("/system.slice/system-systemd\\x2dcryptsetup.slice/a\\x40b.service"),
            "/system.slice/*-systemd-cryptsetup.slice/a@b.service");
  // a blank, a line end, and what is none
  for (const char* path : {"/a\\x20b", "/a\\x0ab", "/a\\x2", "/a\\xzz", "/a\\y2d"})
    EXPECT_EQ(short_cgroup_path(path), path);
}

TEST(ShortCgroupPath, LeavesAllElseAsItIs) {
  for (const char* path :
       {"/", "", "name", "/user.slice/a", "/a/b/", "/system.slice/ssh.service", "//",
        "/0123456789abcdef0123456789abcde", "/1a2b3c4d-5e6f-7a8b-9c0d-1e2f3a4b5c6",
        "/a.slice/ab.slice", "/a.slice/a-b.service", "/.slice/-a.slice"})
    EXPECT_EQ(short_cgroup_path(path), path);
  EXPECT_EQ(short_cgroup_path("/user.slice/user-1000.slice/user@1000.service/app.slice"),
            "/user.slice/*-1000.slice/user@1000.service/app.slice");
}

}  // namespace
}  // namespace pobpf
