"""How long a test waits for what never comes."""

from __future__ import annotations

from typing import Final

PATIENCE: Final = 5.0
"""Seconds after which a test that waits for what never comes fails. Never spent by one that passes."""
