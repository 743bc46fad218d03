# SPDX-License-Identifier: GPL-2.0-only
"""The documents of an installation, by which tests/package knows what a package must have."""

import pathlib
import re

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
# what pages refer to beside pages
SOURCES = {"src/snapshot/snapshot.proto", "tests/python/snapshot_reader.py"}


def expected() -> set[str]:
    """Paths below the directory of documents."""
    pages = [*TOP.glob("*.md"), *TOP.glob("docs/*.md")]
    return SOURCES | {str(page.relative_to(TOP)) for page in pages}


def dead_links(folder: pathlib.Path) -> list[str]:
    """Links of all pages below `folder` to files that are not below it, or to headings that their
    page does not have."""
    pages = {page: page.read_text("utf-8") for page in sorted(folder.resolve().rglob("*.md"))}
    anchors = {page: {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
                      for heading in re.findall(r"(?m)^#+ (.*)", text)}
               for page, text in pages.items()}
    dead = []
    for page, text in pages.items():
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            path, _, anchor = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            if "://" not in target and not (
                    file.is_file() and file.is_relative_to(folder.resolve())
                    and (not anchor or anchor in anchors[file])):
                dead.append(f"{page.name}: {target}")
    assert pages, f"no pages in {folder}"
    return dead
