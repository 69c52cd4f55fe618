"""``proxyfw rules``: what rule files mean, without traffic."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from proxyfw import io
from proxyfw.cli.main import program
from proxyfw.testing import http_flow

SCRIPT = """
from dataclasses import dataclass
from proxyfw import http, rules

@dataclass
class Say(rules.Action):
    "Answer with a status."
    status: int = 200
    answers = True

    def request(self, flow, hit):
        flow.response = http.Response.make(self.status)

@dataclass
class Tag(rules.Action):
    def request(self, flow, hit):
        flow.request.headers["x-tag"] = hit.expand("$1")

    def response(self, flow, hit):
        hit.note(f"was {flow.response.status_code}")

def load(loader):
    loader.add_action("say", Say)
    loader.add_action("tag", Tag)
"""
RULES = """\
- name: teapot
  match: {method: POST, path: "/tea*", headers: {x-a: b}, body: "*milk*"}
  action: {type: say, status: 418}
- name: tag
  priority: -1
  times: 3
  match: {host: "*.example.com"}
  action: tag
- name: "off"
  enabled: false
  action: [tag, say]
"""


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    Path("script.py").write_text(SCRIPT)
    Path("rules.yaml").write_text(RULES)


def run(*args: str) -> Result:
    result = CliRunner().invoke(program, ["-s", "script.py", "rules", *args], prog_name="proxyfw")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_rules_are_listed_in_the_order_they_run_in() -> None:
    assert run("list", "rules.yaml").output.splitlines() == [
        "  -1  tag: tag, 3 times  [rules.yaml:4:3]",
        "   0  teapot: say  [rules.yaml:1:3]",
        "   0  off (off): tag + say  [rules.yaml:9:3]",
    ]


def test_what_rules_would_do_to_a_request() -> None:
    result = run("test", "rules.yaml", "http://a.example.com/tea", "-d", "with milk", "-H", "X-A: b")
    assert result.output.splitlines() == [
        "POST http://a.example.com/tea",
        "  request: tag matched",
        "  request: teapot matched",
        "  note: tag matched (was 418)",
        "  = answered by teapot: 418 I'm a teapot",
    ]
    result = run("test", "rules.yaml", "http://a.example.com/tea?x=1")
    assert result.output.splitlines() == [
        "GET http://a.example.com/tea?x=1",
        "  request: tag matched",
        "  request: teapot did not match: method",
        "  = goes to the origin as GET http://a.example.com/tea?x=1, changed",
    ]
    result = run("test", "rules.yaml", "http://other.test/", "-X", "put", "--status", "503")
    assert result.output.splitlines() == [
        "PUT http://other.test/",
        "  request: teapot did not match: method",
        "  request: tag did not match: host",
        "  = goes to the origin as PUT http://other.test/, unchanged",
    ]


def test_a_body_has_the_type_that_clients_give_it() -> None:
    Path("rules.yaml").write_text(
        "- {name: form, match: {form: {user: alice}}, action: say}\n"
        "- {name: json, match: {headers: {content-type: '*/json'}}, action: say}\n"
    )
    for more, answered in (
        (["-d", "user=alice"], "form"),
        (["-d", '{"user": "alice"}'], "json"),
        (["-d", "[1]", "-H", "Content-Type: text/plain"], ""),
    ):
        last = run("test", "rules.yaml", "http://a.test/", *more).output.splitlines()[-1]
        assert last.startswith(f"  = answered by {answered}:") is bool(answered)


def test_a_dry_run_over_saved_flows_says_what_the_live_run_did() -> None:
    """features 33."""
    flows = [http_flow("http://a.example.com/tea", 404), http_flow("http://other.test/")]
    with Path("flows.mitm").open("wb") as file:
        writer = io.FlowWriter(file)
        for flow in flows:
            writer.add(flow)
    result = run("test", "rules.yaml", "--flows", "flows.mitm")
    assert result.output.splitlines()[:5] == [
        "GET http://a.example.com/tea",
        "  request: tag matched",
        "  request: teapot did not match: method",
        "  note: tag matched (was 404)",
        "  = goes to the origin as GET http://a.example.com/tea, changed",
    ]
    assert len(result.output.splitlines()) == 9


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["test", "rules.yaml"], "give a URL, or --flows FILE"),
        (["test", "rules.yaml", "nonsense"], "nonsense: "),
        (["test", "rules.yaml", "http://a/", "-H", "x"], "'x' is not a header field: write 'Name: value'"),
        (["test", "rules.yaml", "--flows", "none"], "cannot read flows from none: No such file or directory"),
        (["list", "none.yaml"], "cannot read rules from none.yaml: No such file or directory"),
        (["enable", "rules.yaml", "nobody"], "there is no rule 'nobody'; there are teapot, tag, off"),
    ],
)
def test_wrong_usage_is_one_clear_line(args: list[str], message: str) -> None:
    result = run(*args)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output


def test_lint_names_what_is_suspicious_and_fails() -> None:
    """features 34."""
    assert run("lint", "rules.yaml").output == "3 rules, nothing suspicious\n"
    Path("rules.yaml").write_text(
        "- {name: all, action: say}\n- {name: some, match: {host: a}, action: tag}\n"
    )
    result = run("lint", "rules.yaml")
    assert result.output == (
        "some (rules.yaml:2:3) can never run: "
        "all (rules.yaml:1:3) answers everything before it that it is for\n"
    )
    assert result.exit_code == 1
    Path("rules.yaml").write_text("- {name: all, action: sya}\n")
    result = run("lint", "rules.yaml")
    assert "rules.yaml:1:15: action.type: there is no action 'sya'; did you mean say?" in result.output
    assert result.exit_code == 2


def test_a_rule_is_switched_in_its_file() -> None:
    run("enable", "rules.yaml", "off")
    run("disable", "rules.yaml", "tag")
    assert Path("rules.yaml").read_text() == RULES.replace("enabled: false", "enabled: true").replace(
        "  action: tag\n", "  action: tag\n  enabled: false\n"
    )


def test_the_schema_accepts_what_is_accepted() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    from ruamel.yaml import YAML

    schema = json.loads(run("schema").output)
    jsonschema.Draft202012Validator.check_schema(schema)
    valid = jsonschema.Draft202012Validator(schema).is_valid
    assert valid(YAML(typ="safe").load(RULES))
    assert valid({"rules": YAML(typ="safe").load(RULES), "version": 1})
    assert not valid([{"action": "nope"}])
    assert not valid([{"action": {"type": "say", "statsu": 1}}])
    assert not valid([{"match": {}}])
