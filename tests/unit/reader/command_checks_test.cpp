// SPDX-License-Identifier: GPL-2.0-only
#include "reader/command_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "../util/temp_dir.h"
#include "kernel/local_clock.h"

namespace pobpf {
namespace {

using testing::HasSubstr;

class SurroundingsTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::map<std::string, Check> checks() const {
    std::map<std::string, Check> result;
    for (const Check& check : check_surroundings({dir_ / "memory", dir_ / "pins"})) {
      EXPECT_FALSE(check.is_for_all) << check.name;
      result[check.name] = check;
    }
    return result;
  }
  test::TempDir dir_;
};

TEST_F(SurroundingsTest, StallsNeedAFileOfTheKernel) {
  const Check missing = checks().at("pressure");
  EXPECT_EQ(missing.state, CheckState::kMissing);
  EXPECT_THAT(missing.detail, HasSubstr("watch-pressure without --stall none will not work: "));
  EXPECT_THAT(missing.hint, HasSubstr("psi=1"));
  dir_.write("memory",
             "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
             "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
  EXPECT_EQ(checks().at("pressure").state, CheckState::kOk);
}

TEST_F(SurroundingsTest, PinsNeedABpfFileSystem) {
  const Check missing = checks().at("pin_directory");
  EXPECT_EQ(missing.state, CheckState::kMissing);
  EXPECT_THAT(missing.detail, HasSubstr("is not in a BPF file system"));
  EXPECT_THAT(missing.hint, HasSubstr("mount -t bpf"));
}

TEST_F(SurroundingsTest, AgesNeedTheClock) {
  EXPECT_EQ(checks().at("ages").state, read_local_clock() ? CheckState::kOk : CheckState::kMissing);
}

}  // namespace
}  // namespace pobpf
