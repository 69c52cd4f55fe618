"""Which requests a route is for: the words of ``match`` in rules, as keywords."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from proxyfw.http import HTTPFlow
from proxyfw.rules import Match
from proxyfw.ruleset.match import Known
from proxyfw.ruleset.shape import read


class Matching:
    """A test of requests that can say in words what it looks for."""

    def __init__(self, method: str | Sequence[str] | None, url: str | None, words: Mapping[str, Any]) -> None:
        """Raises ValueError if a word is unknown, cannot be read, or is about what comes after a request."""
        given = {"method": method, **_place(url), **words}
        wanted = {name: value for name, value in given.items() if value is not None}
        self._tests = read(Match, wanted).tests(random.Random())
        late = [test.field for test in self._tests if test.known > Known.REQUEST_BODY]
        if late:
            raise ValueError(
                f"{', '.join(late)}: a route is about requests; look at flow_log for what follows them"
            )
        self._text = _sentence(wanted)

    def __call__(self, flow: HTTPFlow) -> bool:
        return all(test.holds(flow) is not None for test in self._tests)

    def __str__(self) -> str:
        return self._text


def _place(url: str | None) -> dict[str, str]:
    """*url* as the word it is: a path without a host is one on any host."""
    if url is None:
        return {}
    is_regex = url.startswith("/") and url.count("/") > 1 and not url.rpartition("/")[2].strip("aimsx")
    if url.startswith("/") and not is_regex:
        return {"path": url}
    scheme, separator, rest = url.partition("://")
    if not is_regex and not separator and not url.startswith("*"):
        raise ValueError(
            f"{url!r} is no URL: write https://{url}, or *{url}, or /{url.partition('/')[2]} for any host"
        )
    if separator and "*" not in url and "/" not in rest:
        url = f"{scheme}://{rest}/"
    return {"url": url}


def _sentence(words: Mapping[str, Any]) -> str:
    """``GET https://api.example/* with query={'page': '2'}``."""
    named = dict(words)
    method, place = named.pop("method", "any"), named.pop("url", None) or named.pop("path", None)
    methods = method if isinstance(method, str) else " or ".join(method)
    begin = f"{methods} {place}" if place else f"{methods} request"
    rest = ", ".join(f"{name}={value!r}" for name, value in named.items())
    return f"{begin} with {rest}" if rest else begin
