"""Loads of ours, for what no program does: many talks with a proxy, side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from client import get, trusting, tunnel, websocket
from origin import Origin
from subjects import Proxy
from talks import Pause, Talk, drive

Begin = Callable[[], None]
"""To be called when connections are up and warm: what is measured begins here."""


def many(
    talk: Callable[[Begin], Talk[None]], connections: int, seconds: float, begin: Begin, warm: float
) -> int:
    """Hold *connections* of *talk*, which calls what it is given for every good answer.

    When each has had one, and *warm* seconds have passed, *begin* is called; what comes in the *seconds*
    after that is counted.
    """
    answers = 0
    up: set[int] = set()
    began = ends = 0.0

    def count(number: int) -> Begin:
        def one() -> None:
            nonlocal answers
            answers += 1
            up.add(number)

        return one

    def over() -> bool:
        nonlocal answers, began, ends
        now = time.perf_counter()
        if not began and len(up) == connections:
            began = now + warm
        elif began and not ends and now >= began:
            answers = 0
            begin()
            ends = time.perf_counter() + seconds
        return bool(ends) and now > ends

    talks: list[Iterator[Pause]] = [talk(count(number)) for number in range(connections)]
    drive(talks, over)
    for each in talks:
        each.close()  # type: ignore[attr-defined]  # they are generators
    return answers


def kept(proxy: Proxy, origin: Origin, url: str) -> Callable[[Begin], Talk[None]]:
    """GET *url* in one tunnel, over and over."""
    trust = trusting(proxy.ca)

    def talk(one: Begin) -> Talk[None]:
        connection = yield from tunnel(proxy.port, origin.https, trust)
        while True:
            yield from get(connection, url)
            one()

    return talk


def fresh(proxy: Proxy, origin: Origin) -> Callable[[Begin], Talk[None]]:
    """CONNECT, both handshakes and GET, over and over."""
    trust = trusting(proxy.ca)

    def talk(one: Begin) -> Talk[None]:
        while True:
            with (yield from tunnel(proxy.port, origin.https, trust)) as connection:
                yield from get(connection, "/1k")
            one()

    return talk


def echoes(proxy: Proxy, origin: Origin, size: int) -> Callable[[Begin], Talk[None]]:
    trust = trusting(proxy.ca)

    def talk(one: Begin) -> Talk[None]:
        echo = yield from websocket(proxy.port, origin.echo, trust, size)
        while True:
            yield from echo()
            one()

    return talk
