"""Whether this machine's clock is right, by those of the servers that have answered."""

from __future__ import annotations

from statistics import median

from ..finding import Finding
from ..probe import Probe

MOST = 30.0
"""Seconds by which clocks may differ."""


def check_clock(probe: Probe) -> Finding | None:
    """Return what the `Date` headers of the answers say; None if there were none."""
    if not probe.skews:
        return None
    ahead = median(probe.skews.values())
    servers = ", ".join(sorted(probe.skews))
    if abs(ahead) <= MOST:
        return Finding(f"{abs(ahead):.0f} s from that of {servers}", "", "ok", "clock")
    way = "behind" if ahead > 0 else "ahead of"
    return Finding(
        f"this machine's clock is {abs(ahead):.0f} s {way} that of {servers}",
        "Synchronize it by NTP: tokens are taken for expired, or for not valid yet",
        "warning",
        "clock",
    )
