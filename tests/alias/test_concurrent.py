"""`concurrent`: what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from proxyfw.exceptions import AddonError
from proxyfw.script import concurrent


def configure(updated: Any) -> None:
    """A hook that must be complete when it returns."""


async def request(flow: Any) -> None:
    """A hook that needs no thread."""


@pytest.mark.parametrize(
    ("function", "says"), [(configure, "is not for configure()"), (request, "request() is async")]
)
def test_it_is_refused_where_it_makes_no_sense(function: Any, says: str) -> None:
    with pytest.raises(AddonError) as caught:
        concurrent(function)
    assert says in str(caught.value)
    assert "test_concurrent.py" in str(caught.value)
