"""Fixtures that tests of several rooms use, and what everything can be run on.

``PROXYFW_TEST_HTTP1=h11`` (or ``httptools``) and ``PROXYFW_TEST_LOOP=uvloop`` (or ``asyncio``) choose;
otherwise llhttp frames bodies where it is installed, and tests run on asyncio's own loop.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from proxyfw.protocol import http1_engine as engines

# How long an example takes says more of the machine than of the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

engines.preferred = os.environ.get("PROXYFW_TEST_HTTP1", engines.preferred)
if LOOP := os.environ.get("PROXYFW_TEST_LOOP", ""):
    os.environ["PROXYFW_LOOP"] = LOOP  # of the command lines that tests start
if LOOP == "uvloop":
    asyncio.set_event_loop_policy(pytest.importorskip("uvloop").EventLoopPolicy())


@pytest.fixture(scope="session", autouse=True)
def no_switches_in_the_environment() -> None:
    """Programs that tests start would take the tests' own switches for options."""
    for name in [name for name in os.environ if name.startswith("PROXYFW_TEST_")]:
        del os.environ[name]


@pytest.fixture(scope="module", params=["h11", "httptools"])
def http1_engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """Runs a module's tests once with each engine that frames HTTP/1 bodies."""
    if request.param == "httptools":
        pytest.importorskip("httptools")
    before, engines.preferred = engines.preferred, request.param
    yield request.param
    engines.preferred = before
