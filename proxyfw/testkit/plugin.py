"""The pytest plugin, which pytest finds by its entry point: fixtures for tests with a proxy.

Imported into every pytest run where proxyfw is installed, so nothing of the proxy is imported before a
fixture is used.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .background import Background
    from .client import AsyncProxyClient, ProxyClient
    from .flowlog import FlowLog
    from .live import LiveProxy
    from .routes import Route

_SCOPES = ("function", "class", "module", "package", "session")
_IN_USE = pytest.StashKey["LiveProxy"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare what can be set."""
    group = parser.getgroup("proxyfw", "tests with a proxy")
    group.addoption(
        "--proxyfw-strict",
        action="store_true",
        default=None,
        help="forbid the network to requests that no route is for, and routes that are not used",
    )
    parser.addini("proxyfw_strict", "as --proxyfw-strict", type="bool", default=False)
    parser.addini(
        "proxyfw_scope", f"how long a proxy lives: {', '.join(_SCOPES)}", type="string", default="function"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, and check what was set."""
    config.addinivalue_line(
        "markers", "proxyfw(strict=None, **options): how the fixture proxy is to be for this test"
    )
    if config.getini("proxyfw_scope") not in _SCOPES:
        raise pytest.UsageError(
            f"proxyfw_scope: {config.getini('proxyfw_scope')!r} is none of {', '.join(_SCOPES)}"
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test whose proxy has a reason to; show what the proxy has seen where a test fails."""
    try:
        result = yield
        _check(item)
        return result
    except BaseException:
        if proxy := item.stash.get(_IN_USE, None):
            item.add_report_section("call", "proxyfw", "\n".join([proxy.flows.summary(), *proxy.problems()]))
        raise


def _check(item: pytest.Item) -> None:
    proxy = item.stash.get(_IN_USE, None)
    if proxy and (problems := proxy.problems()):
        pytest.fail("\n".join(["proxyfw:", *(f"  {problem}" for problem in problems)]), pytrace=False)


def _scope(fixture_name: str, config: pytest.Config) -> Any:
    return config.getini("proxyfw_scope")


@pytest.fixture(scope="session")
def _proxyfw_background() -> Iterator[Background]:
    from .background import Background

    with Background() as background:
        yield background


@pytest.fixture(scope="session")
def proxy_confdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the authority: one for all tests, in the temporary directory of the run."""
    return tmp_path_factory.mktemp("proxyfw")


@pytest.fixture(scope=_scope)
def proxy_options() -> dict[str, Any]:
    """Override it: options of the proxies in your tests."""
    return {}


@pytest.fixture(scope=_scope)
def proxy_addons() -> list[object]:
    """Override it: addons of the proxies in your tests, as `Proxy` takes them."""
    return []


@pytest.fixture(scope=_scope)
def proxy_server(
    _proxyfw_background: Background,
    proxy_confdir: Path,
    proxy_options: dict[str, Any],
    proxy_addons: list[object],
) -> Iterator[LiveProxy]:
    """The running proxy, as long as the setting proxyfw_scope says; for fixtures of that scope."""
    from .live import LiveProxy

    with _mistakes_in_one_line():
        live = LiveProxy(_proxyfw_background, {"confdir": str(proxy_confdir), **proxy_options}, proxy_addons)
    yield live
    live.stop()


@pytest.fixture
def proxy(proxy_server: LiveProxy, request: pytest.FixtureRequest) -> Iterator[LiveProxy]:
    """A proxy on a random port, whose routes, flows and options are this test's alone."""
    wanted = _wanted(request)
    proxy_server.strict = wanted.pop("strict")
    with _mistakes_in_one_line():
        before = {name: getattr(proxy_server.proxy.options, name) for name in wanted}
        if wanted:
            proxy_server.configure(**wanted)
    request.node.stash[_IN_USE] = proxy_server
    yield proxy_server
    proxy_server.reset()
    if before:
        proxy_server.configure(**before)


@contextmanager
def _mistakes_in_one_line() -> Iterator[None]:
    """What is wrong with an option or an addon is said without the way that led there."""
    from proxyfw.exceptions import ProxyfwError

    try:
        yield
    except ProxyfwError as problem:
        pytest.fail(f"proxyfw: {problem}", pytrace=False)


def _wanted(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What the markers of a test say, the nearest one last."""
    config = request.config
    strict = config.getoption("--proxyfw-strict") or config.getini("proxyfw_strict")
    wanted: dict[str, Any] = {"strict": strict}
    for marker in reversed(list(request.node.iter_markers("proxyfw"))):
        wanted |= marker.kwargs
    return wanted


@pytest.fixture
def flow_log(proxy: LiveProxy) -> FlowLog:
    """The flows that the proxy has seen in this test."""
    return proxy.flows


@pytest.fixture
def proxy_client(proxy: LiveProxy) -> ProxyClient:
    """An HTTP client that goes through the proxy and trusts it; it blocks."""
    return proxy.client()


@pytest.fixture
def async_proxy_client(proxy: LiveProxy) -> AsyncProxyClient:
    """The same, for async tests."""
    from .client import AsyncProxyClient

    return AsyncProxyClient(proxy.client())


@pytest.fixture
def route(proxy: LiveProxy) -> Callable[..., Route]:
    """`proxy.route`: says what shall become of requests in this test."""
    return proxy.route
