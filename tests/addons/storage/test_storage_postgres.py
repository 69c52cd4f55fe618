"""The same tables on a PostgreSQL server, which the tests start."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxyfw import flowfilter, hookspecs
from proxyfw.exceptions import OptionsError
from proxyfw.http import Request, Response
from proxyfw.testing import http_flow, websocket_flow, world
from proxyfw_addons.storage.database import opened, shown
from proxyfw_addons.storage.library import Library


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of a database without tables. The server listens on a socket of its own only."""
    pytest.importorskip("psycopg")
    if not shutil.which("initdb") or not shutil.which("pg_ctl"):
        pytest.skip("PostgreSQL is not installed")
    home = Path(tempfile.mkdtemp(prefix="pg"))
    wrapper: list[str] = []
    if os.getuid() == 0:  # the server refuses to be root
        if not shutil.which("setpriv"):
            pytest.skip("as root, PostgreSQL needs setpriv")
        somebody = pwd.getpwnam("nobody")
        os.chown(home, somebody.pw_uid, somebody.pw_gid)
        wrapper = ["setpriv", f"--reuid={somebody.pw_uid}", f"--regid={somebody.pw_gid}", "--clear-groups"]

    def run(*command: str) -> None:
        subprocess.run(
            [*wrapper, *command], check=True, cwd=home, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, timeout=50, env={**os.environ, "HOME": str(home), "LC_ALL": "C.UTF-8"},
        )  # fmt: skip

    data = str(home / "data")
    try:
        run("initdb", "-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync")
        settings = f"-k {home} -c listen_addresses= -c fsync=off"
        run("pg_ctl", "-D", data, "-o", settings, "-l", str(home / "log"), "-w", "start")
        try:
            yield f"postgresql://tester@/postgres?host={home}"
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(home, ignore_errors=True)


async def test_a_session_on_postgresql(server: str) -> None:
    """Record, find by filter and word, annotate, expire, delete."""
    async with world(addons=["storage"], store=server, store_session="pg") as w:
        call = w.proxy.commands.call
        body = Response.make(
            200, b'{"what": "needle"}' + bytes(range(256)), {"content-type": "application/json"}
        )
        flows = [
            http_flow("http://example.com/first/teapot", id="a"),
            http_flow(
                Request.make("POST", "https://api.test/v1", b"\x00\xff"), body, id="b", comment="\x00odd"
            ),
            websocket_flow((True, "hello"), (False, b"\x00"), id="c"),
        ]
        for flow in flows:
            await w.proxy.addons.call(hookspecs.flow_end, flow)
        call("flow.annotate", [flows[0]], "noted", "blue", "x")
        (session,) = await call("sessions.list")
        assert (session["name"], session["flows"]) == ("pg", 3)
        assert (await call("sessions.stats"))["hosts"] == {"example.com": 2, "api.test": 1}
        library = Library.at(server)
        for text, ids in (
            ("~m POST", "b"), ("~u teapot", "a"), ("~d example", "ac"), ("~marker blue", "a"),
            ("~u 'tea.ot'", "a"), ("~size >250", "b"), ("!~websocket", "ab"), ("~c 101 | ~d api", "bc"),
            ("~dur >1h", ""), ("~sizeq >0", "bc"),
        ):  # fmt: skip
            found = library.rows(wanted=flowfilter.parse(text), newest=False)
            assert "".join(row["uid"] for row in found) == ids, text
        for words, ids in ((["teapot"], "a"), (["TEAP*"], "a"), (["v1"], "b"), (["hello", "example"], "c")):
            assert "".join(row["uid"] for row in library.rows(words=words)) == ids, words
        again = library.flow("b")
        assert again is not None
        assert again.request.content == b"\x00\xff"  # type: ignore[attr-defined]
        assert again.response.get_state() == body.get_state()  # type: ignore[attr-defined]
        w.proxy.options.store_max_flows = 1
        await call("sessions.new", "next")
        await call("sessions.list")
        assert await call("sessions.delete", "pg") >= 1
        assert library.rows() == []
        assert library.tables.bodies.select().count() == 0
        library.close()


def test_a_server_that_is_not_there_is_named_without_the_password() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(OptionsError, match=r"^postgresql://me:\*\*\*@127\.0\.0\.1:1/x: "):
        opened("postgresql://me:secret@127.0.0.1:1/x")
    assert shown("postgresql://me@there/x") == "postgresql://me@there/x"
