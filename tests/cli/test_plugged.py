"""Commands of installed packages: found by entry point, loaded late, with others added to them."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import click
import pytest
from click.testing import CliRunner

from proxyfw.cli import plugged
from proxyfw.cli.main import program


@click.command(short_help="Says hello.")
@click.pass_obj
def hello(settings: object) -> None:
    """Say hello."""
    click.echo(f"hello, {hasattr(settings, 'option')}")


@click.group()
def things() -> None:
    """All the things."""


@things.command()
def own() -> None:
    """One of its own."""


not_a_command = 1


@pytest.fixture(autouse=True)
def offers(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = {
        "greet": "hello", "things": "things", "things.greet": "hello", "lonely.greet": "hello",
        "bad": "nothing", "worse": "not_a_command",
    }  # fmt: skip
    found = [EntryPoint(name, f"{__name__}:{value}", plugged.GROUP) for name, value in entries.items()]
    monkeypatch.setattr(plugged, "offered", lambda group: found)


def run(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(program, words, prog_name="proxyfw")
    assert result.exit_code == code, result.output
    return result.output


def test_commands_of_packages_are_there() -> None:
    assert run("greet") == "hello, True\n"
    assert run("things", "greet") == "hello, True\n"
    assert run("lonely", "greet") == "hello, True\n"
    help = run("things", "--help")
    assert "All the things." in help
    assert "Says hello." in help
    assert "One of its own." in help


def test_what_cannot_be_loaded_is_named() -> None:
    assert "the command bad (" in run("bad", code=2)
    assert "is no click command" in run("worse", code=2)


def test_a_broken_one_does_not_keep_the_others_from_the_help() -> None:
    help = run("--help")
    assert "Says hello." in help
    assert "(cannot be loaded: " in help
