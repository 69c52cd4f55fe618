"""Rule files: where things are written, what is said about mistakes, and that comments survive."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

import pytest

from proxyfw.exceptions import OptionsError
from proxyfw.http import HTTPFlow
from proxyfw.rules import Action, File, Hit, RuleBook, open_file

TEXT = """\
# the team's rules
version: 1
rules:
  - name: first   # why it is there
    match:
      host: "*.example.com"

    action: {type: read, file: answers/a.json}

  - name: second
    enabled: true
    action: read
"""


@dataclass
class Read(Action):
    file: File | None = None

    def request(self, flow: HTTPFlow, hit: Hit) -> None:
        """Nothing: it is never run here."""


@pytest.fixture
def book() -> RuleBook:
    made = RuleBook()
    made.define("read", Read)
    return made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(TEXT)
    return path


def test_rules_know_where_they_are_written_and_files_are_beside_them(path: Path, book: RuleBook) -> None:
    first, second = open_file(path).rules(book)
    assert (first.name, first.place) == ("first", f"{path}:4:5")
    assert first.actions == (Read(File(path.parent / "answers/a.json")),)
    assert second.place == f"{path}:10:5"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", ":1:2: "),
        ("a: b: c", ":1:5: "),
        ("rules: 5", ":1:1: must be a list of rules"),
        ("rulez: []", ":1:1: there is no 'rulez' here; known are rules, version"),
        ("- {action: read, macth: {}}", ":1:18: macth: there is no 'macth' here; did you mean match?"),
        ("rules:\n- match: {host: a}", ":2:3: action is missing; there are read"),
        ("- action: read\n- action: [read, raed]", ":2:18: action[1].type: there is no action 'raed'"),
        ("- {action: read, name: a}\n- {action: read, name: a}", ":2:18: name: 'a' is the name of rule 1"),
        ("- {action: read, times: 0}", ":1:18: times: must be 1 or more"),
        (
            "- {action: read, match: {status: 404}}",
            ":1:26: match.status: is not yet known when the action acts",
        ),
        ("- {a: 1, a: 2}", 'found duplicate key "a"'),
        ("&a [*a]", "a rule must be a mapping"),
        ("\x00", "special characters are not allowed"),
    ],
)
def test_mistakes_are_said_with_line_and_column(path: Path, book: RuleBook, text: str, message: str) -> None:
    path.write_text(text)
    with pytest.raises(OptionsError) as caught:
        open_file(path).rules(book)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize("text", ["", "# nothing\n", "rules:\n", "[]"])
def test_no_rules_are_no_mistake(path: Path, book: RuleBook, text: str) -> None:
    path.write_text(text)
    assert open_file(path).rules(book) == []


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match=r"cannot read rules from .*none.yaml: No such file"):
        open_file(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"- name: \xe4\n")
    with pytest.raises(OptionsError, match=r"latin.yaml: not UTF-8 at byte 8"):
        open_file(tmp_path / "latin.yaml")
    (tmp_path / "deep.yaml").write_text("[" * 500)
    with pytest.raises(OptionsError, match=r"deep.yaml"):
        open_file(tmp_path / "deep.yaml")


def test_switching_a_rule_keeps_comments_order_and_mode(path: Path) -> None:
    path.chmod(0o640)
    file = open_file(path)
    file.set_enabled("second", False)
    file.save()
    assert path.read_text() == TEXT.replace("enabled: true", "enabled: false")
    file.set_enabled("first", False)
    file.save()
    assert open_file(path).data[0]["enabled"] is False
    assert "# why it is there" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(path.parent.iterdir()) == [path]
    with pytest.raises(OptionsError, match="there is no rule 'third'; there are first, second"):
        file.set_enabled("third", True)
