"""The terminal log: level, escaping, colour, two proxies, and no trace after removal."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator
from select import PIPE_BUF

import pytest

from proxyfw import ctx
from proxyfw.log import (
    ALERT,
    LogEntry,
    TerminalLog,
    escape,
    in_one_piece,
    is_terminal,
    level_of,
    wants_colour,
)

logger = logging.getLogger("proxyfw.test")
top = logging.getLogger("proxyfw")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _untouched() -> Iterator[None]:
    def state() -> tuple[object, ...]:
        root = logging.getLogger()
        return top.level, list(top.handlers), top.propagate, root.level

    before = state()
    yield
    assert state() == before


@pytest.mark.parametrize(
    ("verbosity", "level"),
    [(-3, logging.ERROR), (-2, logging.ERROR), (-1, logging.WARNING), (0, logging.INFO), (1, logging.DEBUG),
     (2, logging.DEBUG)],
)  # fmt: skip
def test_verbosity(verbosity: int, level: int) -> None:
    assert level_of(verbosity) == level


def test_a_line_has_time_level_and_message() -> None:
    out = io.StringIO()
    with TerminalLog(stream=out):
        logger.info("listening at %s", "::1")
        logger.debug("not shown")
        logger.log(ALERT, "look here")
    lines = out.getvalue().splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d info     listening at ::1", lines[0])
    assert lines[1][9:] == "alert    look here"
    assert len(lines) == 2


def test_colour_only_on_a_terminal() -> None:
    terminal, file = Terminal(), io.StringIO()
    with TerminalLog(stream=terminal), TerminalLog(stream=file):
        logger.warning("careful")
        logger.info("plain")
    assert "\x1b[33mwarning \x1b[0m careful" in terminal.getvalue()
    assert terminal.getvalue().count("\x1b") == 2
    assert "\x1b" not in file.getvalue()


@pytest.mark.parametrize(
    ("environment", "colourful_terminal", "elsewhere"),
    [
        ({}, True, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": "0"}, True, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False),
        ({"TERM": "dumb"}, False, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, True, True),
    ],
)
def test_who_decides_about_colours(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], colourful_terminal: bool, elsewhere: bool
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert wants_colour(Terminal()) is colourful_terminal
    assert wants_colour(io.StringIO()) is elsewhere
    assert wants_colour(None) is elsewhere
    assert TerminalLog(stream=Terminal()).in_colour() is colourful_terminal
    assert TerminalLog(stream=io.StringIO()).in_colour() is elsewhere


def test_a_closed_stream_is_no_terminal() -> None:
    closed = io.StringIO()
    closed.close()
    assert not is_terminal(closed)
    assert not is_terminal(None)
    assert is_terminal(Terminal())


def test_what_could_steer_a_terminal_is_made_visible() -> None:
    """5.6.120"""
    out = Terminal()
    with TerminalLog(stream=out):
        logger.info("a\x1b[2J\x07\r\x7f\x9b\u202eb\tc\nnext")
    assert out.getvalue()[18:] == "a\\x1b[2J\\x07\\x0d\\x7f\\x9b\\u202eb\tc\n    next\n"
    assert escape("é ü 漢") == "é ü 漢"


def test_tracebacks_are_indented_below_the_message() -> None:
    out = io.StringIO()
    with TerminalLog(stream=out):
        try:
            raise ValueError("no\x1b")
        except ValueError:
            logger.exception("failed")
    lines = out.getvalue().splitlines()
    assert lines[0].endswith("error    failed")
    assert lines[1] == "    Traceback (most recent call last):"
    assert lines[-1] == "    ValueError: no\\x1b"


def test_the_lowest_level_of_several_terminals_counts_while_it_is_there() -> None:
    quiet, loud = io.StringIO(), io.StringIO()
    with TerminalLog(-1, quiet):
        assert top.level == logging.WARNING
        with TerminalLog(1, loud):
            assert top.level == logging.DEBUG
            logger.debug("detail")
        assert top.level == logging.WARNING
        logger.warning("problem")
    assert "detail" in loud.getvalue()
    assert "problem" in quiet.getvalue()
    assert "detail" not in quiet.getvalue()


def test_a_level_set_by_the_program_is_kept_and_comes_back() -> None:
    top.setLevel(logging.DEBUG)
    try:
        with TerminalLog(-1, io.StringIO()):
            assert top.level == logging.DEBUG
        assert top.level == logging.DEBUG
    finally:
        top.setLevel(logging.NOTSET)


def test_other_handlers_still_get_everything(caplog: pytest.LogCaptureFixture) -> None:
    with TerminalLog(0, io.StringIO()):
        logger.info("seen")
    assert caplog.messages == ["seen"]


def test_two_proxies_have_a_terminal_each() -> None:
    class Proxy: ...

    one, two = Proxy(), Proxy()
    out_one, out_two = io.StringIO(), io.StringIO()
    with TerminalLog(stream=out_one, proxy=one), TerminalLog(stream=out_two, proxy=two):
        with ctx.use(one):
            logger.info("of one")
        with ctx.use(two):
            logger.info("of two")
        logger.info("of none")
    assert [line[18:] for line in out_one.getvalue().splitlines()] == ["of one", "of none"]
    assert [line[18:] for line in out_two.getvalue().splitlines()] == ["of two", "of none"]


def test_the_root_logger_on_request() -> None:
    out = io.StringIO()
    with TerminalLog(stream=out, logger=""):
        logging.info("from a script")
    assert "from a script" in out.getvalue()


def test_without_a_stream_it_is_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with TerminalLog():
        logger.error("to stderr")
    captured = capsys.readouterr()
    assert "to stderr" in captured.err
    assert captured.out == ""


def test_a_broken_stream_does_not_break_the_proxy(capsys: pytest.CaptureFixture[str]) -> None:
    closed = io.StringIO()
    with TerminalLog(stream=closed):
        closed.close()
        logger.error("lost")
    assert "Logging error" in capsys.readouterr().err


def test_alert_has_a_name() -> None:
    assert logging.getLevelName(ALERT) == "ALERT"
    assert logging.INFO < ALERT < logging.WARNING
    assert LogEntry("text", "info").msg == "text"


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (b"short\nshort", 11),
        (b"x" * (PIPE_BUF - 1) + b"\nmore\n", PIPE_BUF),
        (b"x" * 10 + b"\n" + b"y" * PIPE_BUF, 11),
        (b"x" * 2 * PIPE_BUF + b"\nmore\n", 2 * PIPE_BUF + 1),
        (b"x" * 2 * PIPE_BUF, 2 * PIPE_BUF),
    ],
)
def test_what_is_written_in_one_piece_are_whole_lines(data: bytes, size: int) -> None:
    """As much as a pipe takes at once from one of several writers, or one line that is longer."""
    assert in_one_piece(data) == in_one_piece(memoryview(data)) == size
