"""``proxyfw commands``: names, signatures, help, source."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from proxyfw.cli.main import program

SCRIPT = '''
from collections.abc import Sequence
from proxyfw import command, flow, types

@command.command("shop.buy")
def buy(what: str, times: int = 1, *notes: str) -> None:
    """Buy something.

    As often as you like.
    """

@command.command("shop.list")
async def show(flows: Sequence[flow.Flow], path: types.Path) -> Sequence[str]:
    return []
'''


def run(*words: str) -> Result:
    return CliRunner().invoke(program, ["--confdir", "/nonexistent", *words])


@pytest.fixture
def script(tmp_path: Path) -> str:
    path = tmp_path / "shop.py"
    path.write_text(SCRIPT)
    return str(path)


def test_all_commands_are_listed_by_who_has_them() -> None:
    text = run("commands").stdout
    assert "\n  replay.client flows:flow[]\n      Send the requests of flows again" in text
    assert "Addon flows (" in text
    assert "view.clear" not in text
    assert "\n  view.clear\n" in run("commands", "--addon", "view").stdout
    assert "replay.client" not in run("commands", "--addon", "no:replay").stdout


def test_commands_of_a_script_are_explained(script: str) -> None:
    text = run("commands", "-s", script, "shop").stdout
    assert text == (
        f"Script shop.py ({script})\n"
        "  shop.buy what:str [times:int=1] [notes:str…]\n"
        "      Buy something.\n"
        "      As often as you like.\n"
        "  shop.list flows:flow[] path:path\n\n"
    )


def test_for_programs(script: str) -> None:
    (buy,) = json.loads(run("-s", script, "commands", "shop.buy", "--format", "json").stdout)
    assert buy == {
        "name": "shop.buy",
        "usage": "shop.buy what:str [times:int=1] [notes:str…]",
        "parameters": [
            {"name": "what", "type": "str", "required": True, "repeated": False},
            {"name": "times", "type": "int", "required": False, "repeated": False},
            {"name": "notes", "type": "str", "required": False, "repeated": True},
        ],
        "returns": None,
        "async": False,
        "help": "Buy something.\n\nAs often as you like.",
        "source": "shop.py",
    }
    (listing,) = json.loads(run("-s", script, "commands", "shop.list", "--format", "json").stdout)
    assert (listing["async"], listing["returns"]) == (True, "collections.abc.Sequence[str]")


def test_a_command_that_there_is_not() -> None:
    result = run("commands", "flow.resum")
    assert result.exit_code != 0
    assert "there is no command 'flow.resum'; did you mean 'flow.resume'?" in result.output


def test_explanations_fit_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    for what, name in (("options", "mode"), ("commands", "replay.client")):
        lines = run(what, name).output.splitlines()
        assert max(len(line) for line in lines if line.startswith("      ") and " " in line.strip()) <= 60
