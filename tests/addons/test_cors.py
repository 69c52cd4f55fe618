"""The cors addon: preflights, header fields of responses, and who goes before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from proxyfw.addonmanager import Loader
from proxyfw.exceptions import OptionsError
from proxyfw.http import HTTPFlow, Response
from proxyfw.proxy import Proxy
from proxyfw.rules import Action, Hit
from proxyfw.testing import World, world
from proxyfw_addons.cors import AllowingOrigins
from proxyfw_addons.rules import RuleFiles

APP = "https://app.example"
Data = dict[str, Any]
PREFLIGHT = (
    "OPTIONS http://example.com/a HTTP/1.1\r\nHost: example.com\r\nOrigin: https://app.example\r\n"
    "Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: x-a,x-b\r\n\r\n"
)
GET = "GET http://example.com/a HTTP/1.1\r\nHost: example.com\r\nOrigin: https://app.example\r\n\r\n"


@dataclass
class Say(Action):
    """Answer."""

    status: int = 200
    vary: str = ""
    answers = True

    def request(self, flow: HTTPFlow, hit: Hit) -> None:
        flow.response = Response.make(self.status, b"said", {"Vary": self.vary} if self.vary else {})


class Saying:
    def load(self, loader: Loader) -> None:
        loader.add_action("say", Say)


def serving(*rules: Data, **options: Any) -> Any:
    return world(addons=[AllowingOrigins(), Saying(), RuleFiles()], rules=list(rules), **options)


async def answer(w: World, request: str) -> tuple[int, dict[str, str]]:
    """Status, and the header fields by lower-case name."""
    client = w.client()
    client.write(request.encode())
    lines = (await client.message()).decode().split("\r\n\r\n")[0].split("\r\n")
    fields: dict[str, str] = {}
    for line in lines[1:]:
        name, _, value = line.partition(": ")
        assert name.lower() not in fields, line
        fields[name.lower()] = value
    return int(lines[0].split()[1]), fields


async def test_a_preflight_is_answered_with_what_it_asks_for_and_nothing_is_dialled() -> None:
    async with serving({"action": "cors"}) as w:
        assert await answer(w, PREFLIGHT) == (204, {
            "vary": "Origin",
            "access-control-allow-origin": APP,
            "access-control-allow-methods": "PUT",
            "access-control-allow-headers": "x-a,x-b",
        })  # fmt: skip
        assert w.network.dialled == []


async def test_or_with_what_the_rule_says() -> None:
    action = {
        "type": "cors", "methods": ["GET", "PUT"], "headers": "x-a", "credentials": True, "max_age": "10m",
        "origins": ["https://*.example"],
    }  # fmt: skip
    asking = PREFLIGHT.replace("\r\n\r\n", "\r\nAccess-Control-Request-Private-Network: true\r\n\r\n")
    async with serving({"action": action}) as w:
        assert await answer(w, asking) == (204, {
            "vary": "Origin",
            "access-control-allow-origin": APP,
            "access-control-allow-credentials": "true",
            "access-control-allow-methods": "GET, PUT",
            "access-control-allow-headers": "x-a",
            "access-control-allow-private-network": "true",
            "access-control-max-age": "600",
        })  # fmt: skip


async def test_responses_say_that_the_page_may_read_them() -> None:
    cors = {"action": {"type": "cors", "credentials": True, "expose": ["etag", "x-c"]}}
    async with serving(cors, {"action": {"type": "say", "vary": "Accept-Encoding"}}) as w:
        client = w.client()
        client.write(GET.encode())
        seen = (await client.message()).decode()
        assert "\r\nAccess-Control-Allow-Origin: https://app.example\r\n" in seen
        assert "\r\nAccess-Control-Allow-Credentials: true\r\n" in seen
        assert "\r\nAccess-Control-Expose-Headers: etag, x-c\r\n" in seen
        assert "\r\nVary: Accept-Encoding\r\n" in seen
        assert "\r\nVary: Origin\r\n" in seen
        assert "Allow-Methods" not in seen


async def test_what_the_origin_says_is_replaced_not_repeated() -> None:
    """Streamed responses have them, too: they are added before the body."""
    async with serving({"action": "cors"}, stream_large_bodies="1") as w:
        origin, client = w.origin(), w.client()
        client.write(GET.encode())
        server = await origin.accept()
        server.write(
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nVary: origin\r\n"
            b"Access-Control-Allow-Origin: *\r\n\r\nbody"
        )
        seen = (await client.message()).lower()
        assert seen.count(b"access-control-allow-origin") == 1
        assert b"\r\naccess-control-allow-origin: https://app.example\r\n" in seen
        assert seen.count(b"vary") == 1


async def test_other_origins_and_requests_of_no_page_get_nothing() -> None:
    rules: list[Data] = [{"action": {"type": "cors", "origins": "https://ours.example"}}, {"action": "say"}]
    async with serving(*rules) as w:
        for request in (GET, PREFLIGHT, GET.replace("Origin", "X-Origin")):
            status, fields = await answer(w, request)
            assert status == 200
            assert "access-control-allow-origin" not in fields
            assert fields["vary"] == "Origin"


@pytest.mark.parametrize("before", [True, False])
async def test_a_rule_for_options_goes_before_it_wherever_it_stands(before: bool) -> None:
    """features 2.12."""
    explicit: Data = {
        "match": {"method": ["options", "GET"], "path": "/a"},
        "action": {"type": "say", "status": 418},
    }
    rules: list[Data] = [explicit, {"action": "cors"}] if before else [{"action": "cors"}, explicit]
    async with serving(*rules) as w:
        status, fields = await answer(w, PREFLIGHT)
        assert status == 418
        assert not any(name.startswith("access-control") for name in fields)
        assert (await answer(w, PREFLIGHT.replace("/a ", "/b ")))[0] == 204
        assert (await answer(w, GET))[1]["access-control-allow-origin"] == APP


async def test_a_mock_for_any_method_before_it_gets_the_fields_of_a_preflight() -> None:
    async with serving({"action": "say"}, {"action": "cors"}) as w:
        status, fields = await answer(w, PREFLIGHT)
        assert status == 200
        assert fields["access-control-allow-methods"] == "PUT"


async def test_options_that_is_no_preflight_goes_on() -> None:
    async with serving({"action": "cors"}, {"action": {"type": "say", "status": 405}}) as w:
        assert (await answer(w, PREFLIGHT.replace("-Request-Method", "-Nothing")))[0] == 405


async def test_the_option() -> None:
    async with serving(cors=["https://app.*"]) as w:
        status, fields = await answer(w, PREFLIGHT)
        assert status == 204
        assert fields["access-control-allow-credentials"] == "true"
        w.proxy.options.update(cors=[])
        assert w.proxy.addons.rules.current.hooks == frozenset()


def test_mistakes_are_explained() -> None:
    with pytest.raises(OptionsError, match=r"cors: action.origins\[0\]: /\(/ is not a regular expression"):
        Proxy(default_addons=(), addons=[AllowingOrigins()], cors=["/(/"])
