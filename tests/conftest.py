"""Fixtures that tests of several rooms use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from proxyfw.protocol import http1_engine as engines


@pytest.fixture(scope="module", params=["h11", "httptools"])
def http1_engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """Runs a module's tests once with each engine that frames HTTP/1 bodies."""
    if request.param == "httptools":
        pytest.importorskip("httptools")
    before, engines.preferred = engines.preferred, request.param
    yield request.param
    engines.preferred = before
