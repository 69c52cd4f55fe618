"""Fixtures for conversations on real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from ends import Field

from proxyfw.certs import Authority


@pytest.fixture(scope="session")
def authority() -> Authority:
    """Whom the proxies in these tests trust for origins."""
    return Authority.create("Test Origins", path_length=1)


@pytest.fixture
async def field(tmp_path: Path, authority: Authority) -> AsyncIterator[Field]:
    """What a test plays on."""
    async with AsyncExitStack() as stack:
        yield Field(tmp_path, authority, stack)
