# SPDX-License-Identifier: GPL-2.0-only
"""Knows what docs/archive.md says of --thin, and nothing of how pobpf does it."""

import calendar
import re
import time

HOUR = 3600
DAY = 24 * HOUR
YEAR = 365 * DAY
NAME = re.compile(r"[A-Za-z0-9.%-]+_(\d{8}T\d{6})\.(\d{9})Z_[0-9a-f-]{36}\.pobpf")


def time_of(name: str) -> float:
    """Seconds since 1970 of a snapshot's name."""
    match = NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"{name} is not a name of a snapshot")
    return calendar.timegm(time.strptime(match[1], "%Y%m%dT%H%M%S")) + int(match[2]) / 1e9


def thinned(names: set[str], now: float) -> set[str]:
    """Those of all ever taken that are there after a snapshot at `now`: all of the last day,
    the first of each hour (UTC) for a week, the first of each day for a year."""
    times = {name: time_of(name) for name in names}

    def is_first_of(name: str, seconds: int) -> bool:
        return not any(
            other < times[name] and other // seconds == times[name] // seconds
            for other in times.values()
        )

    kept = set()
    for name, taken in times.items():
        age = now - taken
        if (
            age <= DAY
            or (age <= 7 * DAY and is_first_of(name, HOUR))
            or (age <= YEAR and is_first_of(name, DAY))
        ):
            kept.add(name)
    return kept
