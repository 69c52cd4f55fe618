"""Running programs, as a user starts them, for the tests of the command line."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import IO, Self

PATIENCE = 20
SCRIPT = """
def request(flow):
    flow.response = http.Response.make(200, b"from the script")
    print("seen", flow.request.path)
"""
IMPORTS = "from proxyfw import http\n"


class Program:
    """A running ``python -m proxyfw`` in a directory of its own."""

    def __init__(self, home: Path, *args: str, **environment: str) -> None:
        env = {**os.environ, "HOME": str(home), **environment}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "proxyfw", "--confdir", str(home / "ca"), "-p", "0", *args],
            cwd=home, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert self.process.stdout
        assert self.process.stderr
        self.stdout: IO[bytes] = self.process.stdout
        self.stderr: IO[bytes] = self.process.stderr

    def until(self, stream: IO[bytes], pattern: str) -> re.Match[str]:
        """Read *stream* until *pattern* is in it."""
        text = b""
        while not (match := re.search(pattern, text.decode())):
            assert select.select([stream], [], [], PATIENCE)[0], text
            piece = os.read(stream.fileno(), 65536)
            assert piece, f"{pattern!r} is not in {text.decode()!r}"
            text += piece
        return match

    def port(self) -> int:
        """Wait for the announcement and return the port it names."""
        return int(self.until(self.stderr, r"listening on 127\.0\.0\.1:(\d+)\n[^\n]*\n[^\n]*\n")[1])

    def ask(self, port: int, path: str) -> bytes:
        """What a client of the proxy is answered."""
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
            target = f"http://origin.invalid/{path}"
            client.sendall(
                f"GET {target} HTTP/1.1\r\nHost: origin.invalid\r\nConnection: close\r\n\r\n".encode()
            )
            return b"".join(iter(lambda: client.recv(65536), b""))

    def everything(self) -> tuple[str, str]:
        """What is left to read of output and errors, once the program has ended."""
        stdout, stderr = self.process.communicate(timeout=PATIENCE)
        return stdout.decode(), stderr.decode()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


class Starter:
    """Starts programs in the test's directory; at its end, none is left."""

    def __init__(self, home: Path) -> None:
        self._started: list[Program] = []
        self.home = home

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        for program in self._started:
            program.process.kill()
            program.process.communicate()

    def __call__(self, *args: str, **environment: str) -> Program:
        program = Program(self.home, *args, **environment)
        self._started.append(program)
        return program

    def script(self, text: str = SCRIPT) -> str:
        """A script file with *text*."""
        path = self.home / "script.py"
        path.write_text(IMPORTS + text)
        return str(path)

    def fails(self, *args: str, code: int = 1) -> str:
        """What a program that does not start says."""
        program = self(*args)
        stdout, stderr = program.process.communicate(timeout=PATIENCE)
        assert program.process.returncode == code
        assert stdout == b""
        assert b"Traceback" not in stderr
        return stderr.decode()
