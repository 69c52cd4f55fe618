"""Conversations as generators that yield where they wait for a socket, so that one thread can hold many."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
Pause = tuple[socket.socket, int]
"""Wait until the socket can be read (EPOLLIN) or written (EPOLLOUT)."""
Talk = Generator[Pause, None, T]

TIMEOUT = 30.0
"""Seconds after which a silent proxy is given up."""


def wait(talk: Talk[T]) -> T:
    """Run *talk* to its end."""
    while True:
        try:
            connection, event = next(talk)
        except StopIteration as end:
            result: T = end.value
            return result
        able = select.poll()
        able.register(connection, event)
        if not able.poll(TIMEOUT * 1000):
            raise TimeoutError("the proxy does not answer")


def drive(talks: Sequence[Iterator[Pause]], over: Callable[[], bool]) -> None:
    """Run all *talks* side by side until it is *over*. What goes wrong in one is raised."""
    poll = select.epoll()
    waiting: dict[int, tuple[Iterator[Pause], Pause]] = {}

    def step(talk: Iterator[Pause], before: Pause | None) -> None:
        pause = next(talk)
        connection, event = pause
        if before is None or before[0] is not connection:
            try:
                poll.register(connection, event)  # the one before, if closed, has left by itself
            except FileExistsError:
                poll.modify(connection, event)
        elif before[1] != event:
            poll.modify(connection, event)
        waiting[connection.fileno()] = talk, pause

    with poll:
        for talk in talks:
            step(talk, None)
        last = time.monotonic()
        while not over():
            ready = poll.poll(0.2)
            for number, _ in ready:
                step(*waiting.pop(number))
            if ready:
                last = time.monotonic()
            elif time.monotonic() - last > TIMEOUT:
                raise TimeoutError("the proxy does not answer")
