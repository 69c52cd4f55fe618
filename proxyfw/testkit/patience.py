"""How long a test waits for what never comes."""

from __future__ import annotations

import asyncio
from typing import Final

PATIENCE: Final = 5.0
"""Seconds after which a test that waits for what never comes fails. Never spent by one that passes."""
VIRTUAL_PATIENCE: Final = 1e6
"""The same where time is virtual, and long waits are what is tested."""


def patience() -> float:
    """How many seconds of the running loop that is."""
    return float(getattr(asyncio.get_running_loop(), "patience", PATIENCE))
