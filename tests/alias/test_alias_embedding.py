"""Programs that contain the other proxy: its options, its masters, its command line."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import textwrap
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from proxyfw import io
from proxyfw.alias import addons
from proxyfw.alias.addons.present import AntiCache, KeepServing, Save, TermLog
from proxyfw.alias.master import Master
from proxyfw.alias.options import Options
from proxyfw.alias.tools.dump import DumpMaster
from proxyfw.alias.tools.main import mitmdump
from proxyfw.exceptions import OptionsError
from proxyfw.http import HTTPFlow


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"origin")

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def fetch(url: str, proxy: str) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy}))
    with opener.open(url, timeout=10) as answer:
        content: bytes = answer.read()
        return content


class Rewrite:
    def __init__(self) -> None:
        self.ready = threading.Event()

    def running(self) -> None:
        self.ready.set()

    def response(self, flow: HTTPFlow) -> None:
        assert flow.response
        flow.response.text = "rewritten"


class Ended:
    def __init__(self) -> None:
        self.flows: list[HTTPFlow] = []

    def response(self, flow: HTTPFlow) -> None:
        self.flows.append(flow)


def options(tmp_path: Path, **more: Any) -> Options:
    return Options(
        listen_host="127.0.0.1", listen_port=0, confdir=str(tmp_path), shutdown_timeout=0.01, **more
    )


def test_options_are_there_before_any_master(tmp_path: Path) -> None:
    opts = options(tmp_path, mode="upstream:http://proxy.example:3128", ssl_insecure=True)
    assert opts.listen_port == 0
    assert list(opts.mode) == ["upstream:http://proxy.example:3128"]
    assert opts.upstream_cert is True
    assert opts.update_known(ssl_insecure=False, nothing=1) == {"nothing": 1}
    assert opts.ssl_insecure is False
    opts.add_option("body_size_limit", int, 0, "As programs of long ago did.")
    assert opts.body_size_limit is None
    with pytest.raises(OptionsError, match="listen_prot"):
        opts.update(listen_prot=1)


async def test_a_master_runs_in_the_programs_loop(tmp_path: Path, origin: str) -> None:
    master = DumpMaster(options(tmp_path), with_termlog=False, with_dumper=False)
    rewrite, ended = Rewrite(), Ended()
    master.addons.add(rewrite, ended)
    running = asyncio.create_task(master.run())
    await asyncio.to_thread(rewrite.ready.wait, 10)
    assert await asyncio.to_thread(fetch, origin, master.url) == b"rewritten"
    assert [flow.request.url for flow in ended.flows] == [origin]
    assert master.addons.get("rewrite") is rewrite
    master.shutdown()
    await asyncio.wait_for(running, 10)


@contextmanager
def in_thread(master: DumpMaster) -> Iterator[None]:
    """As programs do it that go on with something else: a thread with a loop of its own."""
    failures: list[BaseException] = []

    def work() -> None:
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(master.run())
        except BaseException as failure:
            failures.append(failure)
        finally:
            loop.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        master.shutdown()
        thread.join(10)
    assert not thread.is_alive()
    assert failures == []


def test_a_master_runs_in_a_thread_and_is_ended_from_outside(
    tmp_path: Path, origin: str, capsys: pytest.CaptureFixture[str]
) -> None:
    master = DumpMaster(options(tmp_path))
    rewrite = Rewrite()
    master.addons.add(rewrite)
    with in_thread(master):
        assert rewrite.ready.wait(10)
        assert fetch(origin, master.url) == b"rewritten"
    assert origin in capsys.readouterr().out
    master.shutdown()


def test_an_end_that_comes_before_the_beginning_counts(tmp_path: Path) -> None:
    master = DumpMaster(options(tmp_path), with_termlog=False, with_dumper=False)
    master.shutdown()
    asyncio.run(asyncio.wait_for(master.run(), 10))


async def test_addons_that_are_there_already_may_be_added(tmp_path: Path) -> None:
    """As programs do that put their own proxy together from the pieces."""
    master = Master(options(tmp_path))
    before = master.addons.names()
    master.addons.add(*addons.default_addons())
    master.addons.add(TermLog(), KeepServing(), Save(), AntiCache())
    added = ["core", "termlog", "keepserving", "save", "anticache"]
    assert master.addons.names() == [*before, *(f"mitmproxy.{name}" for name in added)]
    with pytest.raises(RuntimeError, match="no event loop"):
        master.event_loop  # noqa: B018
    async with master:
        assert master.event_loop is asyncio.get_running_loop()


def test_a_log_on_the_terminal_ends_with_the_run(tmp_path: Path) -> None:
    master = DumpMaster(options(tmp_path), with_dumper=False)
    before = list(logging.getLogger("proxyfw").handlers)
    master.shutdown()
    asyncio.run(master.run())
    assert logging.getLogger("proxyfw").handlers == before


def test_the_command_line_is_called_from_a_thread(tmp_path: Path, origin: str) -> None:
    """`-w` is translated, a script ends the proxy, and the call returns."""
    script = tmp_path / "once.py"
    saved = tmp_path / "saved.mitm"
    port = tmp_path / "port"
    script.write_text(
        textwrap.dedent(f"""
        import pathlib
        from mitmproxy import ctx, http
        def running():
            pathlib.Path({str(port)!r} + ".new").write_text(ctx.master.url)
            pathlib.Path({str(port)!r} + ".new").rename({str(port)!r})
        def response(flow: http.HTTPFlow):
            ctx.master.shutdown()
        """)
    )
    common = ["-q", "--set", f"confdir={tmp_path}", "--listen-host", "127.0.0.1", "-p", "0"]
    thread = threading.Thread(target=mitmdump, args=([*common, "-s", str(script), "-w", str(saved)],))
    thread.start()
    while not port.exists():
        assert thread.is_alive()
    assert fetch(origin, port.read_text()) == b"origin"
    thread.join(10)
    assert not thread.is_alive()
    (flow,) = io.read_flows_from_paths([saved])
    assert isinstance(flow, HTTPFlow)
    assert flow.request.url == origin


def test_saved_flows_go_through_scripts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`mitmdump -nr file -s script`: the hooks of each flow, then the end."""
    from proxyfw.alias.test import tflow

    saved = tmp_path / "saved.mitm"
    with open(saved, "wb") as file:
        for flow in tflow.tflows():
            io.FlowWriter(file).add(flow)
    script = tmp_path / "script.py"
    script.write_text(
        "def request(flow): print('request', flow.request.host)\n"
        "def tcp_message(flow): print('tcp', flow.messages[-1].content)\n"
    )
    args = ["-n", "-q", "--set", f"confdir={tmp_path}", "-r", str(saved), "-s", str(script)]
    assert mitmdump([*args, "--set", "readfile_filter=! ~udp", "--set", "termlog_verbosity=error"]) is None
    lines = capsys.readouterr().out.splitlines()
    assert lines.count("request address") == 3
    assert lines.count("tcp b'hello'") == 2


def test_wrong_arguments_leave_the_process(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        mitmdump(["--no-such-flag"])
    assert end.value.code == 2


PROGRAM = """
import asyncio, sys
from mitmproxy import options
from mitmproxy.tools import dump
from mitmproxy.addons import asgiapp

class Stop:
    def __init__(self, master):
        self.master = master
    def running(self):
        print(sys.argv[1], self.master.address[0])
        self.master.shutdown()

async def start():
    opts = options.Options(listen_host="127.0.0.1", listen_port=0, confdir=sys.argv[2])
    master = dump.DumpMaster(opts, with_termlog=False, with_dumper=False)
    master.addons.add(Stop(master))
    await master.run()
    return master

if __name__ == "__main__":
    asyncio.run(start())
"""


@pytest.mark.parametrize("way", ["run", "line"])
def test_a_program_runs_as_it_is_or_with_one_line_more(tmp_path: Path, way: str) -> None:
    program = tmp_path / "program.py"
    line = "from proxyfw import as_mitmproxy; as_mitmproxy()\n" if way == "line" else ""
    program.write_text(line + PROGRAM)
    command = [str(program)] if way == "line" else ["-m", "proxyfw", "run", str(program)]
    done = subprocess.run(
        [sys.executable, *command, "word", str(tmp_path)], capture_output=True, text=True, timeout=30
    )
    assert (done.stdout, done.returncode) == ("word 127.0.0.1\n", 0), done.stderr


def test_run_says_what_is_wrong(tmp_path: Path) -> None:
    old = tmp_path / "old.py"
    old.write_text("from mitmproxy.proxy import ProxyConfig, ProxyServer\n")
    for program, says in ((tmp_path / "none.py", "no such file"), (old, "DumpMaster")):
        done = subprocess.run(
            [sys.executable, "-m", "proxyfw", "run", str(program)], capture_output=True, text=True, timeout=30
        )
        assert done.returncode != 0
        assert says in done.stderr
