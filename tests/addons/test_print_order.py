"""What scripts print reaches the terminal at once, and in its place among the flows."""

from __future__ import annotations

import io
import os
import sys

import pytest

from proxyfw_addons.dumper.in_order import InOrder, Place
from proxyfw_addons.dumper.terminal import Screen


def test_lines_of_scripts_and_flows_keep_their_order_on_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    screen = Screen()
    place = Place(screen.settle)
    with open(reading, encoding="utf-8") as pipe, open(writing, "w", encoding="utf-8") as out:
        monkeypatch.setattr(sys, "stdout", out)
        place.take()
        for number in range(20):
            screen.put(f"flow {number}\n")
            print("print", number)
        sys.stdout.writelines(["one\n", "two\n"])
        place.leave()
        screen.drain(5)
        os.set_blocking(reading, False)
        seen = pipe.read().splitlines()
    expected = [f"{what} {number}" for number in range(20) for what in ("flow", "print")]
    assert seen == [*expected, "one", "two"]


def test_a_line_is_seen_before_the_buffer_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8"))
    place = Place(lambda: None)
    place.take()
    print("seen")
    assert raw.getvalue() == b"seen\n"
    place.leave()


def test_the_last_proxy_puts_standard_output_back(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    place = Place(lambda: None)
    place.take()
    place.take()
    assert isinstance(sys.stdout, InOrder)
    assert sys.stdout.getvalue() == ""
    place.leave()
    assert isinstance(sys.stdout, InOrder)
    place.leave()
    assert id(sys.stdout) == id(out)
    place.leave()


def test_a_terminal_that_stands_still_does_not_hold_up_who_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(Screen, "_work", lambda self: None)
    screen.put("waits\n")
    screen.settle(timeout=0.01)
