"""The addon stickycookie, and its jar: which cookies are kept, for how long, and where they are sent."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from proxyfw import ctx
from proxyfw import flow as flows
from proxyfw.exceptions import OptionsError
from proxyfw.http import HTTPFlow, Request, Response
from proxyfw.proxy import Proxy
from proxyfw.rules import dry_run
from proxyfw.testing import http_flow
from proxyfw_addons.stickycookie import Jar
from proxyfw_addons.stickycookie.jar import MOST_DOMAINS, MOST_IN_A_DOMAIN, default_path, domains_of

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT
URL = "https://www.example.com/app/page?x=/y"


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time; set its only item to another."""
    time = [NOW]
    monkeypatch.setattr(flows, "clock", lambda: time[0])
    return time


@pytest.fixture
def proxy(now: list[float]) -> Iterator[Proxy]:
    made = Proxy(default_addons=("rules", "stickycookie"))
    with ctx.use(made):
        yield made


def exchanged(proxy: Proxy, url: str = URL, *set_cookies: str, cookie: str | None = None) -> HTTPFlow:
    """A flow whose response sets cookies."""
    flow = http_flow(Request.make("GET", url, headers={"Cookie": cookie} if cookie else {}), response=None)
    assert proxy.addons.rules.current.run("request", (flow,)) is None
    flow.response = Response.make(200, headers=[("Set-Cookie", each) for each in set_cookies])
    assert proxy.addons.rules.current.run("responseheaders", (flow,)) is None
    return flow


def sent(proxy: Proxy, url: str = URL) -> str | None:
    return exchanged(proxy, url).request.headers.get("cookie")


def test_cookies_come_back_until_they_are_set_anew(proxy: Proxy) -> None:
    proxy.options.stickycookie = "~all"
    assert sent(proxy) is None
    exchanged(proxy, URL, "a=1; Path=/; HttpOnly", 'b="2"; path=/')
    flow = exchanged(proxy)
    assert flow.request.headers["cookie"] == 'a=1; b="2"'
    assert flow.metadata["stickycookie"] is True
    exchanged(proxy, URL, "a=2; Path=/")
    assert sent(proxy) == 'b="2"; a=2'


def test_what_the_client_sends_itself_stays_unless_the_origin_has_set_it(proxy: Proxy) -> None:
    proxy.options.stickycookie = "~all"
    exchanged(proxy, URL, "a=new")
    flow = exchanged(proxy, cookie="own=1; a=old")
    assert flow.request.headers["cookie"] == "own=1; a=new"


@pytest.mark.parametrize(
    ("set_cookie", "url", "comes"),
    [
        ("a=1", "https://www.example.com/app/", True),
        ("a=1", "https://www.example.com/app", True),
        ("a=1", "https://www.example.com/apple", False),
        ("a=1", "https://www.example.com/", False),
        ("a=1; Path=/app/page", "https://www.example.com/app/page?q", True),
        ("a=1; Path=/app/page/", "https://www.example.com/app/page", False),
        ("a=1; Path=relative", "https://www.example.com/app/x", True),
        ("a=1; Path=/", "https://example.com/", False),
        ("a=1; Path=/", "https://a.www.example.com/", False),
        ("a=1; Path=/; Domain=example.com", "https://example.com/", True),
        ("a=1; Path=/; Domain=.EXAMPLE.com", "https://other.example.com/", True),
        ("a=1; Path=/; Domain=example.com", "https://evilexample.com/", False),
        ("a=1; Path=/; Domain=www.example.com", "https://a.www.example.com/", True),
        ("a=1; Path=/; Domain=com", "https://www.example.com/", False),
        ("a=1; Path=/; Domain=other.test", "https://other.test/", False),
        ("a=1; Path=/; Domain=a.www.example.com", "https://a.www.example.com/", False),
        ("a=1; Path=/", "https://www.example.com:8443/", False),
        ("a=1; Path=/", "http://www.example.com:443/", True),
        ("a=1; Path=/; Secure", "http://www.example.com:443/", False),
        ("a=1; Path=/; Secure", "https://www.example.com/", True),
    ],
)
def test_a_cookie_goes_where_it_is_meant_to(proxy: Proxy, set_cookie: str, url: str, comes: bool) -> None:
    """RFC 6265 sections 5.1.3, 5.1.4 and 5.4."""
    proxy.options.stickycookie = "~all"
    exchanged(proxy, URL, set_cookie)
    assert (sent(proxy, url) == "a=1") is comes


def test_a_cookie_of_an_address_is_for_that_address_only(proxy: Proxy) -> None:
    proxy.options.stickycookie = "~all"
    exchanged(proxy, "http://192.0.2.1/", "a=1", "b=2; Domain=0.2.1")
    assert sent(proxy, "http://192.0.2.1/") == "a=1"
    assert sent(proxy, "http://1.192.0.2.1/") is None


@pytest.mark.parametrize(
    ("attributes", "seconds"),
    [
        ("Max-Age=60", 60),
        ("Max-Age=60; Expires=Tue, 14 Nov 2023 22:13:19 GMT", 60),
        ("Expires=Tue, 14 Nov 2023 22:14:20 GMT", 60),
        ("Expires=Tuesday, 14-Nov-23 22:14:20 GMT", 60),
        ("Max-Age=nonsense; Expires=Tue Nov 14 22:14:20 2023", 60),
        ("Expires=never", None),
        ("Max-Age=99999999999999999999", None),
        ("", None),
    ],
)
def test_a_cookie_is_sent_until_it_expires(
    proxy: Proxy, now: list[float], attributes: str, seconds: float | None
) -> None:
    proxy.options.stickycookie = "~all"
    exchanged(proxy, URL, f"a=1; {attributes}")
    now[0] = NOW + (seconds or 10**8) - 1
    assert sent(proxy) == "a=1"
    now[0] += 1
    assert sent(proxy) == (None if seconds else "a=1")


@pytest.mark.parametrize("attributes", ["Max-Age=0", "Max-Age=-1", "Expires=Thu, 01 Jan 1970 00:00:00 GMT"])
def test_a_cookie_that_has_expired_is_forgotten(proxy: Proxy, attributes: str) -> None:
    proxy.options.stickycookie = "~all"
    exchanged(proxy, URL, "a=1", "b=2")
    exchanged(proxy, URL, f"a=; {attributes}", f"never=; {attributes}")
    assert sent(proxy) == "b=2"


def test_the_filter_says_who_gets_cookies_not_whose_are_kept(proxy: Proxy) -> None:
    proxy.options.stickycookie = "~u /app"
    exchanged(proxy, "https://www.example.com/login", "a=1; Path=/")
    assert sent(proxy, "https://www.example.com/app") == "a=1"
    assert sent(proxy, "https://www.example.com/") is None


def test_a_rule_keeps_and_sends_for_the_flows_it_is_for(proxy: Proxy) -> None:
    proxy.options.rules = [{"match": {"path": "/app/*"}, "action": "stickycookie"}]
    exchanged(proxy, "https://www.example.com/login", "no=1; Path=/")
    exchanged(proxy, "https://www.example.com/app/login", "yes=1; Path=/")
    assert sent(proxy, "https://www.example.com/app/page") == "yes=1"
    assert sent(proxy, "https://www.example.com/login") is None


def test_off_it_costs_nothing(proxy: Proxy) -> None:
    assert proxy.addons.rules.current.hooks == frozenset()
    proxy.options.stickycookie = "~all"
    proxy.options.stickycookie = None
    assert proxy.addons.rules.current.hooks == frozenset()


async def test_a_dry_run_keeps_nothing(proxy: Proxy) -> None:
    proxy.options.stickycookie = "~all"
    await dry_run(
        proxy.addons.rules.current, http_flow(URL, Response.make(200, headers={"Set-Cookie": "a=1"}))
    )
    assert sent(proxy) is None


def test_a_filter_that_cannot_be_read_is_refused(proxy: Proxy) -> None:
    with pytest.raises(OptionsError, match="stickycookie: "):
        proxy.options.stickycookie = "~nothing"


def test_longer_paths_come_first() -> None:
    """RFC 6265 section 5.4."""
    jar, request = Jar(), Request.make("GET", URL)
    answer = Response.make(200, headers=[("Set-Cookie", f"a={path}; Path={path}") for path in ("/", "/app")])
    jar.store(request, answer, NOW)
    assert jar.cookies(request, NOW) == [("a", "/app"), ("a", "/")]


def test_a_jar_has_a_bound() -> None:
    jar = Jar()
    many = Response.make(200, headers=[("Set-Cookie", f"{number}=x") for number in range(300)])
    jar.store(Request.make("GET", URL), many, NOW)
    assert len(jar) == MOST_IN_A_DOMAIN
    one = Response.make(200, headers={"Set-Cookie": "a=1"})
    for number in range(MOST_DOMAINS):
        jar.store(Request.make("GET", f"http://{number}.test/"), one, NOW)
    assert len(jar) == MOST_DOMAINS
    assert jar.cookies(Request.make("GET", URL), NOW) == []


@pytest.mark.parametrize(
    ("path", "expected"), [("/", "/"), ("/a", "/"), ("/a/", "/a"), ("/a/b?c/d", "/a"), ("*", "/"), ("", "/")]
)
def test_the_path_of_a_cookie_that_names_none(path: str, expected: str) -> None:
    """RFC 6265 section 5.1.4."""
    assert default_path(path) == expected


def test_an_address_is_no_domain_of_others() -> None:
    assert domains_of("a.b.c") == ["a.b.c", "b.c", "c"]
    assert (domains_of("192.0.2.1"), domains_of("2001:db8::1")) == (["192.0.2.1"], ["2001:db8::1"])
