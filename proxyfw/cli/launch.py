"""Runs a proxy, and a program that goes through it, until the program ends."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from proxyfw.child.roots import write_roots
from proxyfw.child.variables import variables
from proxyfw.core import settings as core_settings
from proxyfw.exceptions import OptionsError
from proxyfw.log import TerminalLog
from proxyfw.options import Options
from proxyfw.proxy import Proxy

from .loaded import check_waiting
from .loop import new_loop
from .program import complain
from .settings import Settings

NOT_FOUND, NOT_EXECUTABLE, SIGNALLED = 127, 126, 128
"""Exit codes, as shells have them."""
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
_FROM_THE_KEYBOARD = (signal.SIGINT, signal.SIGQUIT)


def run(settings: Settings, command: Sequence[str]) -> int:
    """Run *command* and return its exit code. Raises ProxyfwError if the proxy cannot start."""
    gc.freeze()
    gc.enable()
    if shutil.which(command[0]) is None and not os.path.exists(command[0]):
        return complain(f"exec: {command[0]}: no such program", NOT_FOUND)
    names, options = settings.addon_names(), settings.options()
    core_settings.declare(options)
    _check(options)
    if not options.has_changed("listen_port"):
        options.update(listen_port=0)
    with (
        TerminalLog(settings.verbosity, logger=""),
        asyncio.Runner(loop_factory=new_loop) as runner,
    ):
        return runner.run(_serve(settings, options, names, command))


async def _serve(settings: Settings, options: Options, names: list[str], command: Sequence[str]) -> int:
    proxy = Proxy(options, default_addons=names)
    settings.complete(options)
    check_waiting(options, names)
    async with proxy:
        with tempfile.TemporaryDirectory(prefix="proxyfw-") as folder:
            roots = write_roots(Path(folder), proxy.ca_cert_path, os.environ)
            environment = {**os.environ, **variables(proxy.url, roots, os.environ)}
            return await _run(command, environment)


def _check(options: Options) -> None:
    """Raise OptionsError if the proxy would be one that programs cannot use."""
    mode = options.mode[0]
    if not mode.startswith(("regular", "upstream:")):
        raise OptionsError(f"mode: exec needs regular or upstream: first, since programs cannot use {mode}")
    if options.workers != 1:
        raise OptionsError("workers: exec has one proxy, so leave it at 1")
    if not options.server:
        raise OptionsError("server: exec has a proxy that listens, so leave it on")


async def _run(command: Sequence[str], environment: dict[str, str]) -> int:
    with _forwarding() as forward:
        try:
            process = _started(command, environment)
        except OSError as problem:
            code = NOT_FOUND if isinstance(problem, FileNotFoundError) else NOT_EXECUTABLE
            return complain(f"exec: cannot run {command[0]}: {problem.strerror}", code)
        forward(process)
        code = await asyncio.to_thread(process.wait)
    return code if code >= 0 else SIGNALLED - code


def _started(command: Sequence[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """The process; not asyncio's, whose loops want a watcher for its end that not every one has."""
    return subprocess.Popen(command, env=environment)


@contextmanager
def _forwarding() -> Iterator[Callable[[subprocess.Popen[bytes]], None]]:
    """Let a process have the signals that are sent to us: it decides what they mean.

    Yields what is to be called with the process; it gets those too that came before there was one.
    """
    early: list[int] = []
    processes: list[subprocess.Popen[bytes]] = []

    def forward(process: subprocess.Popen[bytes]) -> None:
        processes.append(process)
        for number in early:
            process.send_signal(number)

    def receive(number: int, frame: FrameType | None) -> None:
        if not processes:
            early.append(number)
        elif number not in _FROM_THE_KEYBOARD or not _in_foreground():  # a terminal sends them to both of us
            processes[0].send_signal(number)

    before = {number: signal.signal(number, receive) for number in _FORWARDED}
    try:
        yield forward
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _in_foreground() -> bool:
    """Whether we are what the terminal's keys mean."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
