#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""pobpf's text against that of kernels whose own text has another layout (flavours layout-* of
kernels.toml), in every way in which it gets out of pobpf.

One boot collects all output (guest/layout.py); the tests here compare on the host.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import vm_test  # noqa: E402
from collection import collected, main  # noqa: E402

# By flavour: whether the kernel prints free_ts, and whether its PFNs are hexadecimal.
LAYOUTS = {
    "default": (True, False),
    "layout-b": (True, True),
    "layout-c": (False, True),
    "layout-d": (False, False),
}


class Layout(vm_test.ViewTest):
    test_the_guest_was_quiet_enough_to_compare = (
        vm_test.Oracle.test_the_guest_was_quiet_enough_to_compare
    )
    test_every_kind_of_record_was_there = vm_test.Oracle.test_every_kind_of_record_was_there

    def test_this_is_what_the_kernel_prints(self):
        has_free_ts, is_hexadecimal = LAYOUTS[collected.flavour]
        for record in collected.parsed("debugfs.1").values():
            self.assertEqual(record.fields["free_ts"] is not None, has_free_ts, record.text)
            self.assertEqual(
                record.fields["pfn"].startswith(b"0x"), is_hexadecimal, record.text
            )
        if has_free_ts:
            self.assertTrue(any(int(r.fields["free_ts"]) for r in vm_test.stable().values()))

    def test_live_text_is_byte_identical(self):
        self.assert_view("live", {0, 1})

    def test_the_text_of_a_pin_is_byte_identical(self):
        self.assertEqual(collected.status("make_pin"), 0, collected.err("make_pin"))
        self.assert_view("pin", {0, 1})

    def test_the_text_of_a_snapshot_is_byte_identical(self):
        self.assert_view(vm_test.report("record"), {0, 1})

    def test_the_kernels_text_comes_back_from_an_import(self):
        name = vm_test.report("import")
        self.assertEqual(collected.status(name), 0, collected.err(name))
        # not assertEqual(), which would show megabytes
        self.assertTrue(collected.out(name) == collected.out("debugfs.1"))


if __name__ == "__main__":
    main(__doc__, "layout.py")
