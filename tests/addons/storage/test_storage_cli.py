"""The commands over stored flows: ``proxyfw sessions`` and ``proxyfw flows``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from proxyfw.cli.main import program
from proxyfw.http import Request, Response
from proxyfw.io import FlowWriter
from proxyfw.testing import http_flow, websocket_flow
from proxyfw_addons.storage.batch import Annotation, Batches
from proxyfw_addons.storage.database import opened
from proxyfw_addons.storage.record import recorded


@pytest.fixture
def place(tmp_path: Path) -> str:
    """A database with three flows."""
    path = str(tmp_path / "traffic.db")
    made = opened(path)
    shop = http_flow(
        Request.make(
            "POST", "http://shop.test/cart", b'{"item": "teapot"}', {"content-type": "application/json"}
        ),
        Response.make(201, b"\xff\xfe", {"content-type": "image/png"}),
        id="aaaa-1",
    )
    flows = [shop, http_flow(id="bbbb-2", response=404), websocket_flow((True, "hello there"), id="bbbb-3")]
    items: list[Any] = [recorded(flow) for flow in flows]
    Batches(made).write([*items, Annotation("aaaa-1", "the cart", "red", ["shop"])])
    made.database.close()
    return path


def run(*words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(program, words, prog_name="proxyfw")
    assert result.exit_code == code, result.output
    return result


def test_flows_are_listed_shown_and_searched(place: str) -> None:
    """Features 76, 77: words in URLs, header fields and bodies; filters."""
    listed = json.loads(run("flows", "list", "--json", "--store", place).stdout)
    assert [flow["id"] for flow in listed] == ["bbbb-3", "bbbb-2", "aaaa-1"]
    assert (listed[2]["status"], listed[2]["websocket"], listed[2]["marked"]) == (201, False, "red")
    table = run("flows", "list", "--store", place, "~c 404").stdout.splitlines()
    assert [line.split()[0] for line in table] == ["ID", "bbbb-2"]
    assert "the latest 1" in run("flows", "list", "--limit", "1", "--store", place).stderr
    for words, ids in (
        (("teapot",), ["aaaa-1"]), (("TEA*", "cart"), ["aaaa-1"]), (("hello there",), ["bbbb-3"]),
        (("there hello",), []), (("nothing",), []), (("example", "--filter", "~websocket"), ["bbbb-3"]),
    ):  # fmt: skip
        found = json.loads(run("flows", "search", *words, "--json", "--store", place).stdout)
        assert [flow["id"] for flow in found] == ids, words
    shown = json.loads(run("flows", "show", "aaaa", "--json", "--store", place).stdout)
    assert shown["request"]["text"] == '{"item": "teapot"}'
    assert shown["response"]["base64"] == "//4="
    assert shown["annotation"] == {"note": "the cart", "colour": "red", "tags": ["shop"]}
    text = run("flows", "show", "bbbb-3", "--store", place).stdout
    assert "-> text" in text
    assert "hello there" in text
    assert "more than one" in run("flows", "show", "bbbb", "--store", place, code=1).stderr


def test_sessions_come_and_go(place: str, tmp_path: Path) -> None:
    exported = str(tmp_path / "one.db")
    run("sessions", "export", "default", exported, "--store", place)
    assert (
        "is there already" in run("sessions", "export", "default", exported, "--store", place, code=2).stderr
    )
    run("sessions", "import", exported, "copy", "--store", place)
    run("sessions", "new", "third", "--store", place)
    run("sessions", "record", "off", "--store", place)
    run("sessions", "rename", "third", "last", "--store", place)
    listed = json.loads(run("sessions", "list", "--json", "--store", place).stdout)
    assert [(each["name"], each["flows"], each["active"], each["recording"]) for each in listed] == [
        ("default", 3, False, True), ("copy", 3, False, True), ("last", 0, True, False),
    ]  # fmt: skip
    assert listed[0]["size"] == listed[1]["size"]
    copies = [
        json.loads(run("flows", "show", id, "--json", "--store", where).stdout)
        for id in ("aaaa-1", "bbbb-3") for where in (place, exported)
    ]  # fmt: skip
    assert (copies[0], copies[2]) == (copies[1], copies[3])
    found = run("flows", "search", "teapot", "--session", "copy", "--json", "--store", place).stdout
    assert len(json.loads(found)) == 1
    assert "deleted 3 flows" in run("sessions", "delete", "default", "-y", "--store", place).stdout
    assert json.loads(run("sessions", "stats", "copy", "--json", "--store", place).stdout)["statuses"] == {
        "101": 1, "201": 1, "404": 1,
    }  # fmt: skip
    run("sessions", "use", "copy", "--store", place)
    assert "* " in run("sessions", "list", "--store", place).stdout
    assert "3 flows" in run("sessions", "stats", "--store", place).stdout


def test_files_of_flows_are_imported(place: str, tmp_path: Path) -> None:
    file = tmp_path / "dump.mitm"
    with file.open("wb") as stream:
        FlowWriter(stream).add(http_flow("http://from.a.dump/"))
    assert "dump: 1 flows" in run("sessions", "import", str(file), "--store", place).stdout
    listed = run("flows", "list", "--session", "dump", "--store", place).stdout
    assert "http://from.a.dump/" in listed


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("flows", "list", "--store", "nosuch.db"), "there is no file"),
        (("flows", "list", "--store", __file__), "no SQLite database"),
        (("sessions", "use", "x", "--store", "PLACE"), "there are: default"),
        (("flows", "list", "~nosuch", "--store", "PLACE"), "unknown operator"),
    ],
)
def test_mistakes_are_told(words: tuple[str, ...], reason: str, place: str) -> None:
    words = tuple(place if word == "PLACE" else word for word in words)
    result = CliRunner().invoke(program, words, prog_name="proxyfw")
    assert result.exit_code
    assert reason in result.stderr


def test_the_store_of_a_run_is_the_default(place: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(f"store: {place}\n")
    assert "default" in run("--confdir", str(tmp_path), "sessions", "list").stdout
    assert "which database" in run("--confdir", str(tmp_path / "ca"), "sessions", "list", code=2).stderr
