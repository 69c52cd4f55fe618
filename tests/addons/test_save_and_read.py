"""Flows written to files as they end, and files of flows shown to the addons."""

from __future__ import annotations

import errno
import io as files
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from proxyfw import flow as flows
from proxyfw import hookspecs, io
from proxyfw.exceptions import OptionsError
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow
from proxyfw.proxy import Proxy
from proxyfw.testing import Recorder, http_flow, tcp_flow, websocket_flow, world
from proxyfw_addons.readfile import ReadFile
from proxyfw_addons.save import Save

GET = b"GET http://example.com/a HTTP/1.1\r\nHost: example.com\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


@contextmanager
def saving(path: Path | str, **options: Any) -> Iterator[tuple[Proxy, Save]]:
    proxy = Proxy(default_addons=("save",), save_stream_file=str(path), **options)
    addon = proxy.addons.get("save")
    assert isinstance(addon, Save)
    try:
        yield proxy, addon
    finally:
        proxy.addons.clear()


def end(proxy: Proxy, *ended: Flow) -> None:
    for flow in ended:
        proxy.addons.trigger("flow_end", flow)


def save(path: Path | str, *ended: Flow) -> None:
    with saving(path) as (proxy, _):
        end(proxy, *ended)


def read(path: Path) -> list[Flow]:
    with path.open("rb") as file:
        return list(io.FlowReader(file).stream())


def urls(path: Path) -> list[str]:
    return [flow.request.url for flow in read(path) if isinstance(flow, HTTPFlow)]


async def test_a_flow_is_in_the_file_when_it_has_ended(tmp_path: Path) -> None:
    """mitmproxy 5.6.112: the file grows flow by flow."""
    path = tmp_path / "flows.mitm"
    async with world(addons=[Save()], save_stream_file=str(path)) as w:
        origin, client = w.origin(), w.client()
        client.write(GET)
        server = await origin.accept()
        await server.head()
        server.write(OK)
        await client.message()
        await w.ended()
        (flow,) = read(path)
    assert isinstance(flow, HTTPFlow)
    assert flow.response
    assert flow.response.content == b"hi"


def test_save_load_save_is_identical(tmp_path: Path) -> None:
    """mitmproxy 5.6.112."""
    first, second = tmp_path / "first", tmp_path / "second"
    save(first, http_flow(), websocket_flow((True, "a"), (False, b"b")), tcp_flow())
    save(second, *read(first))
    assert first.read_bytes() == second.read_bytes()


def test_an_existing_file_is_replaced_or_with_plus_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "flows"
    save(path, http_flow("http://a/"))
    save(f"+{path}", http_flow("http://b/"))
    assert urls(path) == ["http://a/", "http://b/"]
    save(path, http_flow("http://c/"))
    assert urls(path) == ["http://c/"]


def test_names_with_times_begin_new_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_700_000_000.0
    monkeypatch.setattr(flows, "clock", lambda: now)
    with saving(tmp_path / "%H%M.mitm") as (proxy, _):
        end(proxy, http_flow("http://a/"), http_flow("http://b/"))
        now += 60
        end(proxy, http_flow("http://c/"))
    assert sorted(urls(path) for path in tmp_path.iterdir()) == [["http://a/", "http://b/"], ["http://c/"]]


def test_only_wanted_flows_are_written_and_options_may_change(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    with saving(first, save_stream_filter="~d a") as (proxy, _):
        end(proxy, http_flow("http://a/"), http_flow("http://b/"))
        proxy.options.update(save_stream_file=str(second), save_stream_filter=None)
        end(proxy, http_flow("http://c/"))
        proxy.options.update(save_stream_file=None)
        assert proxy.addons.order(hookspecs.flow_end) == []
        end(proxy, http_flow("http://d/"))
    assert (urls(first), urls(second)) == (["http://a/"], ["http://c/"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"save_stream_file": "none/x"}, "save_stream_file: cannot write none/x: No such file or directory"),
        ({"save_stream_file": "x", "save_stream_filter": "~x"}, "save_stream_filter: "),
        ({"save_stream_file": "."}, "save_stream_file: cannot write .: Is a directory"),
    ],
)
def test_what_cannot_be_written_is_said_at_once(
    options: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionsError) as caught:
        Proxy(default_addons=("save",), **options)
    assert str(caught.value).startswith(message)


def test_a_full_disk_is_reported_and_does_not_stop_traffic(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Full(files.BytesIO):
        def write(self, data: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    with saving(tmp_path / "flows") as (proxy, addon):
        addon._writer = io.FlowWriter(Full())
        end(proxy, *(http_flow() for _ in range(5)))
        assert addon.missed == 5
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == [
        "No space left on device; 1 flows missed",
        "No space left on device; 2 flows missed",
        "No space left on device; 4 flows missed",
    ]


# reading


async def shown(path: Path | str, **options: Any) -> list[str]:
    recorder = Recorder()
    async with world(addons=[ReadFile(), recorder], rfile=str(path), server=False, **options) as w:
        addon = w.proxy.addons.get("readfile")
        assert isinstance(addon, ReadFile)
        assert addon._reading
        await addon._reading
        await w.proxy._stopping.wait()
    return recorder.hooks


async def test_saved_flows_go_through_the_hooks(tmp_path: Path) -> None:
    path = tmp_path / "flows"
    save(path, http_flow("http://a/"), http_flow("http://b/", error="lost"))
    assert await shown(path) == [
        *("requestheaders", "request", "responseheaders", "response", "flow_end"),
        *("requestheaders", "request", "error: lost", "flow_end"),
    ]
    assert len(await shown(path, readfile_filter="~d b")) == 4


async def test_a_truncated_file_is_read_up_to_the_break(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """mitmproxy 5.6.112."""
    path = tmp_path / "flows"
    save(path, http_flow("http://a/"), http_flow("http://b/"))
    path.write_bytes(path.read_bytes()[:-5])
    assert (await shown(path)).count("flow_end") == 1
    assert "1 flows before it were read" in caplog.text
    assert str(path) in caplog.text


def test_a_file_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match=r"rfile: cannot read .*none: there is no such file"):
        Proxy(default_addons=("readfile",), rfile=str(tmp_path / "none"))
    with pytest.raises(OptionsError, match="readfile_filter: "):
        Proxy(default_addons=("readfile",), readfile_filter="~x")
