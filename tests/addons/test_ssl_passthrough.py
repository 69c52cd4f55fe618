"""Passthrough: which hosts pass by lists, rules and experience, and what commands say of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proxyfw import ctx, flow, hookspecs
from proxyfw.exceptions import CommandError, OptionsError
from proxyfw.testing import World, client_connection, server_connection, world
from proxyfw.tls import ClientHello, ClientHelloData, TlsData

HOOKS = (hookspecs.tls_clienthello, hookspecs.tls_established_client, hookspecs.tls_failed_client)
REFUSED = "TLS with the client failed: alert 'unknown_ca'"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the time."""

    def at(now: float) -> None:
        monkeypatch.setattr(flow, "clock", lambda: now)

    at(1000.0)
    return at


def proxy(**options: Any) -> Any:
    return world(default_addons=("rules", "ssl_passthrough"), **options)


async def passes(w: World, sni: str | None, host: str | None = None, client: str = "127.0.0.1") -> bool:
    """Whether a hello for *sni*, in a tunnel to *host*, is passed on."""
    server = server_connection((host or sni or "", 443)) if host or sni else None
    data = ClientHelloData(ClientHello(sni=sni), client_connection(sni=sni, peername=(client, 1)), server)
    with ctx.use(w.proxy):
        await w.proxy.addons.call(hookspecs.tls_clienthello, data)
    assert data.record_tunnel == data.ignore_connection
    return data.ignore_connection


async def tell(w: World, hook: Any, sni: str, client: str = "127.0.0.1", error: str = "") -> None:
    connection = client_connection(sni=sni, peername=(client, 1), error=error or None)
    data = TlsData(connection, connection, server_connection((sni, 443)))
    with ctx.use(w.proxy):
        await w.proxy.addons.call(hook, data)


async def refuse(w: World, sni: str = "pinned.test", client: str = "127.0.0.1", error: str = REFUSED) -> None:
    await tell(w, hookspecs.tls_failed_client, sni, client, error)


@pytest.mark.parametrize(
    ("pattern", "host", "expected"),
    [
        ("*.google.com", "mail.google.com", True),
        ("*.google.com", "a.mail.google.com", True),
        ("*.google.com", "evilgoogle.com", False),
        ("*.google.com", "google.com", False),
        ("*.google.com", "mail.google.com.evil.test", False),
        ("google.com", "google.com", True),
        ("google.com", "GOOGLE.com.", True),
        ("google.com", "mail.google.com", False),
        ("*", "anything.test", True),
        ("/goo+gle/", "mail.gooogle.com", True),
        ("192.0.2.*", "192.0.2.7", True),
    ],
)
async def test_wildcards(pattern: str, host: str, expected: bool) -> None:
    """Features 9 and trap 9 of features 2.2: one rule, the same in rules and in the list."""
    async with proxy(ssl_passthrough=[pattern]) as w:
        assert await passes(w, host) == expected
    rule = {"match": {"host": pattern}, "action": "ssl_passthrough"}
    async with proxy(rules=[rule]) as w:
        assert await passes(w, host) == expected


async def test_addresses_with_colons() -> None:
    """Features 49: IPv6 literals, in brackets or not."""
    for pattern in ("::1", "[::1]"):
        async with proxy(ssl_passthrough=[pattern]) as w:
            assert await passes(w, None, "::1")
            assert await passes(w, None, "[::1]")


@pytest.mark.parametrize(
    ("sni", "host", "expected"),
    [
        ("a.test", "192.0.2.1", True),
        ("b.test", "a.test", True),
        (None, "a.test", True),
        ("b.test", "c.test", False),
    ],
)
async def test_the_name_in_the_hello_or_that_of_connect(sni: str | None, host: str, expected: bool) -> None:
    async with proxy(ssl_passthrough=["a.test"]) as w:
        assert await passes(w, sni, host) == expected
    async with proxy(ssl_intercept_only=["a.test"]) as w:
        assert await passes(w, sni, host) == (not expected)


async def test_tls_to_the_proxy_itself_is_never_passed_on() -> None:
    rule = {"action": "ssl_passthrough"}
    async with proxy(ssl_intercept_only=["a.test"], ssl_passthrough_after=1, rules=[rule]) as w:
        assert not await passes(w, None)
        data = TlsData(client_connection(error=REFUSED), client_connection(), None)
        with ctx.use(w.proxy):
            await w.proxy.addons.call(hookspecs.tls_failed_client, data)
        assert [entry["by"] for entry in listed(w)] == ["ssl_intercept_only"]


async def test_hosts_that_never_pass() -> None:
    options = {
        "ssl_passthrough": ["*.test"],
        "ssl_passthrough_never": ["api.test"],
        "ssl_passthrough_after": 1,
    }
    async with proxy(**options) as w:
        assert await passes(w, "www.test")
        await refuse(w, "api.test")
        assert not await passes(w, "api.test")
        assert not [entry for entry in listed(w) if entry["by"] in ("learned", "refusals")]


def listed(w: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = w.proxy.commands.call("ssl_passthrough.list")
    return found


async def test_what_is_learnt_and_forgotten(
    clock: Callable[[float], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Features 51: after so many refusals, for this client and host, for so long; the log says so."""
    caplog.set_level("INFO", "proxyfw")
    async with proxy(ssl_passthrough_after=3, ssl_passthrough_expiry="1m") as w:
        for count in (1, 2):
            await refuse(w)
            assert listed(w) == [
                {"by": "refusals", "host": "pinned.test", "client": "127.0.0.1", "count": count}
            ]
            assert not await passes(w, "pinned.test")
        await refuse(w)
        assert "127.0.0.1 has refused our certificate for pinned.test: it passes through" in caplog.text
        assert "for 1m" in caplog.text
        assert await passes(w, "pinned.test")
        assert not await passes(w, "pinned.test", client="192.0.2.9")
        assert not await passes(w, "other.test")
        clock(1059.0)
        assert listed(w) == [{"by": "learned", "host": "pinned.test", "client": "127.0.0.1", "seconds": 1.0}]
        clock(1060.0)
        assert not await passes(w, "pinned.test")
        assert "127.0.0.1: connections to pinned.test are intercepted again" in caplog.text
        assert listed(w) == []


async def test_only_refusals_in_a_row_and_only_of_the_certificate() -> None:
    async with proxy(ssl_passthrough_after=2) as w:
        await refuse(w)
        await tell(w, hookspecs.tls_established_client, "pinned.test")
        await refuse(w)
        await refuse(w, error="no common cipher")
        assert not await passes(w, "pinned.test")


async def test_what_was_learnt_is_forgotten_on_demand() -> None:
    async with proxy(ssl_passthrough_after=1) as w:
        for host in ("a.test", "b.test"):
            await refuse(w, host)
        commands = w.proxy.commands
        assert commands.execute("ssl_passthrough.forget A.test") == 1
        assert not await passes(w, "a.test")
        assert await passes(w, "b.test")
        with pytest.raises(CommandError, match=r"nothing has been learnt about a\.test"):
            commands.execute("ssl_passthrough.forget a.test")
        assert commands.execute("ssl_passthrough.forget") == 1
        assert not await passes(w, "b.test")


async def test_no_more_than_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxyfw_addons.ssl_passthrough._MEMORY", 2)
    async with proxy(ssl_passthrough_after=1) as w:
        for host in ("a.test", "b.test", "c.test"):
            await refuse(w, host)
        assert [entry["host"] for entry in listed(w)] == ["b.test", "c.test"]


async def test_without_lists_it_has_no_hooks_and_changes_hold_at_once() -> None:
    async with proxy() as w:
        assert not any(w.proxy.addons.wants(hook) for hook in HOOKS)
        w.proxy.options.ssl_passthrough = ["a.test"]
        assert [w.proxy.addons.wants(hook) for hook in HOOKS] == [True, False, False]
        assert await passes(w, "a.test")
        w.proxy.options.update(ssl_passthrough=[], ssl_passthrough_after=1)
        assert all(w.proxy.addons.wants(hook) for hook in HOOKS)
        assert not await passes(w, "a.test")
        w.proxy.options.ssl_passthrough_after = 0
        assert not any(w.proxy.addons.wants(hook) for hook in HOOKS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ssl_passthrough": ["a"], "ssl_intercept_only": ["b"]}, "exclude each other"),
        ({"ssl_passthrough": ["https://a.test"]}, "'https://a.test' is not a host: write example.com"),
        ({"ssl_passthrough": ["a.test:443"]}, "'a.test:443' is not a host"),
        ({"ssl_intercept_only": [""]}, "'' is not a host"),
        ({"ssl_passthrough_never": ["/(/"]}, "ssl_passthrough_never: /(/ is not a regular expression"),
        ({"ssl_passthrough_after": -1}, "write a number of refusals"),
    ],
)
async def test_what_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionsError) as caught:
        async with proxy(**options):
            pass
    assert message in str(caught.value)


async def test_a_list_that_cannot_be_leaves_the_one_before() -> None:
    async with proxy(ssl_passthrough=["a.test"]) as w:
        with pytest.raises(OptionsError):
            w.proxy.options.ssl_intercept_only = ["b.test"]
        assert await passes(w, "a.test")
        assert not await passes(w, "c.test")


async def test_check_says_what_passes_and_why() -> None:
    rule = {"name": "ours", "match": {"host": "*.rule.test"}, "action": "ssl_passthrough"}
    options: dict[str, Any] = {
        "ssl_passthrough": ["*.list.test"], "ssl_passthrough_after": 1, "rules": [rule],
        "ignore_hosts": [r"core\.test"],
    }  # fmt: skip
    async with proxy(**options) as w:
        await refuse(w, "pinned.test", "192.0.2.9")

        def check(words: str) -> Any:
            return w.proxy.commands.execute(f"ssl_passthrough.check {words}")

        assert check("A.list.test") == "A.list.test passes: ssl_passthrough has *.list.test"
        assert check("list.test") == "list.test is intercepted"
        assert check("a.rule.test") == "a.rule.test passes: rule ours (rules[0])"
        assert check("core.test") == r"core.test passes: ignore_hosts has core\.test"
        assert check("pinned.test") == "pinned.test is intercepted"
        assert check("pinned.test 192.0.2.9") == "pinned.test passes: 192.0.2.9 has refused our certificate"
        w.proxy.options.update(ssl_passthrough=[], ignore_hosts=[], ssl_intercept_only=["open.test"])
        assert check("open.test") == "open.test is intercepted"
        assert check("other.test") == "other.test passes: ssl_intercept_only does not have it"
        w.proxy.options.update(ssl_intercept_only=[], allow_hosts=["open"])
        assert check("other.test") == "other.test passes: allow_hosts does not have it"


async def test_the_examples_of_the_page(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/howto/ssl-passthrough.md").read_text(encoding="utf-8")
    file = tmp_path / "rules.yaml"
    file.write_text(page.partition("```yaml\n")[2].partition("```")[0])
    async with proxy(rules_file=[str(file)]) as w:
        assert await passes(w, "push.apple.example")
        assert not await passes(w, "apple.example")
