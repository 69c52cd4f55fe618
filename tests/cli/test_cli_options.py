"""Options on the command line: flags of addons, config.yaml, the environment, who wins; `proxyfw options`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result
from ruamel.yaml import YAML

from proxyfw.addon.option import RESERVED_FLAGS
from proxyfw.cli.main import program
from proxyfw.options import Options
from proxyfw.proxy import Proxy

SCRIPT = """
from proxyfw import ctx
from proxyfw.options import Duration, Size
from proxyfw.exceptions import OptionsError

seen = []
print("running the script")

def load(loader):
    loader.add_option("zoo_file", str, "", "Answer from this file.", flag="--zoo", short="-Z")
    loader.add_option("zoo_rules", list[dict], [], "Rules.", flag="--zoo-rule")
    loader.add_option("zoo_fast", bool, False, "Be quick.", flag="--zoo-fast", short="-Y")
    loader.add_option("zoo_cache", bool, True, "Keep answers.", flag="--no-zoo-cache")
    loader.add_option("zoo_pace", Duration, 1, "Time between answers.", choices=[1, 2, 60], flag="--zoo-pace")
    loader.add_option("zoo_limit", Size | None, None, "Largest answer.")

def configure(updated):
    seen.append((ctx.options.zoo_file, ctx.options.zoo_fast))
    if not ctx.options.zoo_file:
        raise OptionsError("zoo_file: say which")
"""


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of a script whose options have flags; its home is an empty directory."""
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "mock.py"
    path.write_text(SCRIPT)
    return str(path)


@pytest.fixture
def confdir(tmp_path: Path) -> Path:
    path = tmp_path / ".proxyfw"
    path.mkdir()
    return path


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch) -> list[Proxy]:
    """The proxies that would have run."""
    proxies: list[Proxy] = []

    async def run(self: Proxy) -> None:
        self.options.check_deferred()
        proxies.append(self)

    monkeypatch.setattr(Proxy, "run", run)
    return proxies


def run(*args: str) -> Result:
    result = CliRunner().invoke(program, args, prog_name="proxyfw")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def options_of(started: list[Proxy], *args: str) -> Options:
    result = run(*args)
    assert result.exit_code == 0, result.stderr
    return started[-1].options


def refused(*args: str) -> str:
    result = run(*args)
    assert result.exit_code == 2
    return result.stderr.splitlines()[-1]


# Flags of addons


def test_flags_of_a_script_set_its_options(started: list[Proxy], script: str) -> None:
    options = options_of(
        started, "--zoo", "x.json", "-s", script, "-Y", "--zoo-rule", "{a: 1}", "--zoo-rule", '[{"b": 2}]',
        "--no-zoo-cache", "--zoo-pace", "1m", "~m GET",
    )  # fmt: skip
    assert (options.zoo_file, options.zoo_fast, options.zoo_cache, options.zoo_pace) == (
        "x.json",
        True,
        False,
        60,
    )
    assert options.zoo_rules == [{"a": 1}, {"b": 2}]
    assert options.dumper_filter == "~m GET"


def test_a_flag_is_known_when_the_addon_is_configured_first(started: list[Proxy], script: str) -> None:
    """An addon may refuse to start without its option; the script runs once."""
    result = run("-s", script, "-Zx.json", "-Y")
    assert result.exit_code == 0
    assert result.stdout.count("running the script") == 1
    (module,) = (addon for addon in started[0].addons.chain if hasattr(addon, "seen"))
    assert module.seen[0] == ("x.json", True)


def test_flags_stand_together_and_behind_the_filter(started: list[Proxy], script: str) -> None:
    options = options_of(started, "~q", "-s", script, "--zoo=y", "-nqY", "-p", "0")
    assert (options.zoo_file, options.zoo_fast, options.server, options.flow_detail) == ("y", True, False, 0)
    assert (options.dumper_filter, options.listen_port) == ("~q", 0)


@pytest.mark.parametrize(
    ("args", "part"),
    [
        (["--zoo-fiel", "x", "--set", "zoo_file=x"], "No such option '--zoo-fiel'"),
        (["--set", "zoo_file=x", "--zoo"], "Option '--zoo' requires an argument"),
        (
            ["--zoo", "x", "--zoo-pace", "3"],
            "--zoo-pace: option zoo_pace must be one of 1s, 2s, 1m, not '3s'",
        ),
        (
            ["--zoo", "x", "--zoo-rule", "{"],
            "--zoo-rule: option zoo_rules must be list of mappings, as JSON or YAML: line 1",
        ),
        (["--zoo", "x", "-p", "eighty"], "'eighty' is not a valid integer"),
        (["--zoo", "x", "add.py"], "write -s add.py"),
        (["--zoo", "x", "~c foo"], "'foo' is not a status"),
        (["--zoo-fast"], "zoo_file: say which"),
    ],
)
def test_wrong_flags_are_wrong_usage(script: str, args: list[str], part: str) -> None:
    result = run("-s", script, *args)
    assert result.exit_code == 2
    assert part in result.stderr


def test_without_its_addon_a_flag_does_not_exist(script: str) -> None:
    assert "No such option '--zoo'" in refused("--zoo", "x")
    assert "--zoo" not in run("--help").stdout


def test_help_has_the_flags_of_addons_that_would_be_loaded(script: str) -> None:
    text = run("-s", script, "--set", "zoo_file=x", "--help").stdout
    assert run("-s", script, "--zoo", "x", "--help").stdout == text
    for part in (
        "Options of addons:",
        "-Z, --zoo FILE",
        "Answer from this file.",
        "--zoo-rule RULES",
        "Repeatable.",
    ):
        assert part in text
    assert "running the script" not in text


def test_help_is_given_though_a_script_is_broken(tmp_path: Path, script: str) -> None:
    (tmp_path / "broken.py").write_text("1 / 0")
    result = run("-s", str(tmp_path / "broken.py"), "--help")
    assert result.exit_code == 0
    assert "--listen-port" in result.stdout
    assert "without the options of addons: " in result.stderr
    assert "ZeroDivisionError" in result.stderr


def test_flags_that_the_command_line_has_by_itself_are_reserved() -> None:
    own = {flag for param in program.params for flag in param.opts}
    assert own | {"-h", "--help"} == RESERVED_FLAGS


@pytest.mark.parametrize(
    ("flag", "owner"), [("--zoo-fast", "option 'zoo_fast' of mock.py"), ("-p", "the command line")]
)
def test_addons_that_want_the_same_flag_are_both_named(
    script: str, tmp_path: Path, flag: str, owner: str
) -> None:
    kind = "flag" if flag.startswith("--") else "short"
    other = tmp_path / "other.py"
    other.write_text(f"def load(loader): loader.add_option('o', int, 1, '', {kind}='{flag}')")
    result = run("-s", script, "-s", str(other), "--zoo", "x")
    assert result.exit_code == 1
    assert f"flag {flag} of option 'o' of other.py is taken by {owner}" in result.stderr


# Who wins


def test_flags_win_over_set_over_the_environment_over_the_file(
    started: list[Proxy], script: str, confdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["idle_timeout", "head_timeout", "dns_timeout", "connect_timeout"]
    (confdir / "config.yaml").write_text("".join(f"{name}: 1\n" for name in [*names, "listen_port"]))
    for name in [*names[1:], "listen_port"]:
        monkeypatch.setenv(f"PROXYFW_{name.upper()}", "2")
    sets = [f"{name}=3" for name in [*names[2:], "listen_port", "zoo_file"]]
    options = options_of(
        started, *(word for spec in sets for word in ("--set", spec)), "-p", "4", "-s", script, "--zoo", "4"
    )
    assert [getattr(options, name) for name in names] == [1, 2, 3, 3]
    assert (options.listen_port, options.zoo_file) == (4, "4")


def test_the_file_is_that_of_the_confdir(
    started: list[Proxy], script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yml").write_text(f"listen_host: {name}\n")
    monkeypatch.setenv("PROXYFW_CONFDIR", str(tmp_path / "a"))
    assert options_of(started).listen_host == "a"
    assert options_of(started, "--set", f"confdir={tmp_path}/b").listen_host == "b"
    assert (
        options_of(started, "--set", f"confdir={tmp_path}/b", "--confdir", f"{tmp_path}/c").listen_host == "c"
    )


def test_scripts_of_the_file_have_flags_too(started: list[Proxy], script: str, confdir: Path) -> None:
    (confdir / "config.yaml").write_text(f"scripts: [{script}]\nzoo_file: x\nzoo_limit: 5m\n")
    options = options_of(started, "--zoo-fast")
    assert (options.zoo_fast, options.zoo_file, options.zoo_limit) == (True, "x", 5 * 2**20)


# Names that nobody has declared


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "on: 1\nlisten_prot: 1",
            "config.yaml:2:1: unknown option 'listen_prot'; did you mean 'listen_port'?",
        ),
        ("listen_port: x", "config.yaml:1:1: option listen_port must be int or None, not 'x'"),
        ("confdir: /x", "config.yaml:1:1: confdir cannot be set in the file that is found by it"),
        ("mode: [", "config.yaml:1:8: while parsing"),
    ],
)
def test_5_6_101_what_is_wrong_in_the_file_is_said_with_its_place(
    script: str, confdir: Path, text: str, message: str
) -> None:
    (confdir / "config.yaml").write_text(text)
    assert message in refused("-n")


def test_options_of_addons_that_are_not_there_wait_with_a_warning(
    started: list[Proxy], script: str, confdir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (confdir / "config.yaml").write_text("proxyauth: any\nof_some_script: 1\n")
    options = options_of(started)
    assert options.deferred == ["proxyauth", "of_some_script"]
    one, two = (record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    assert "config.yaml:1:1: proxyauth is an option of the addon proxyauth, which is not loaded" in one
    assert one.endswith(": --addon proxyauth; until then it waits")
    assert two.endswith("config.yaml:2:1: no addon that is loaded has an option 'of_some_script'")
    assert options_of(started, "--addon", "proxyauth").proxyauth == "any"


def test_unknown_names_of_this_run_are_errors_but_variables_are_warnings(
    started: list[Proxy], script: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert "--set: unknown option 'listen_prot'; did you mean 'listen_port'?" in refused(
        "--set", "listen_prot=1"
    )
    assert "is an option of the addon proxyauth, which is not loaded" in refused("--set", "proxyauth=any")
    monkeypatch.setenv("PROXYFW_LISTEN_PROT", "1")
    options_of(started)
    assert (
        "PROXYFW_LISTEN_PROT: no addon that is loaded has an option 'listen_prot'; did you mean"
        in caplog.text
    )
    monkeypatch.setenv("PROXYFW_LISTEN_PORT", "x")
    assert "PROXYFW_LISTEN_PORT: option listen_port must be int or None, not 'x'" in refused()


def test_without_a_mode_there_is_nothing_to_listen_for(script: str) -> None:
    assert "mode: none is named: set mode=regular, say, or server=false not to listen" in refused(
        "--set", "mode="
    )


# proxyfw options


def shown(*args: str) -> str:
    result = run("options", *args)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def test_options_are_explained(script: str) -> None:
    text = " ".join(shown("-s", script, "--set", "zoo_file=x").split())  # lines are those of the terminal
    for part in (
        "The proxy", "Addon dumper (", f"Script mock.py ({script})", "zoo_file str, default empty, now x",
        "-Z, --zoo, PROXYFW_ZOO_FILE", "-p, --listen-port, PROXYFW_LISTEN_PORT", "One of lazy, eager.",
        "stream_large_bodies size or None, default 5m", "listen_port int or None, default none",
    ):  # fmt: skip
        assert part in text
    assert shown("mode", "workers").count("default") == 2
    assert "there is no option 'moed'; did you mean 'mode'?" in refused("options", "moed")


def test_passwords_are_not_shown() -> None:
    """features 53."""
    text = shown(
        "--set", "upstream_auth=user:s3cret", "--set", "mode=upstream:http://user:s3c@ret@up.test:3128",
        "--set", "upstream_rules=a.test=http://user:s3cret@up.test",
    )  # fmt: skip
    assert "s3c" not in text
    assert "now upstream:http://user:***@up.test:3128" in text
    assert "now a.test=http://user:***@up.test" in text


def test_the_yaml_is_a_configuration_file(script: str, confdir: Path, started: list[Proxy]) -> None:
    args = ["-s", script, "--set", "zoo_file=x: y", "--set", "zoo_rules={a: [1]}", "--set", "zoo_limit=5m"]
    text = shown(*args, "--format", "yaml")
    own = {"zoo_file": "x: y", "zoo_rules": [{"a": [1]}], "zoo_limit": "5m", "scripts": [script]}
    assert YAML(typ="safe").load(text) == own
    lines = [line.removeprefix("# ") for line in text.splitlines()]
    names = schema(*args)["properties"]
    whole = "\n".join(line for line in lines if line.partition(": ")[0] in names)
    (confdir / "config.yaml").write_text(whole)
    assert YAML(typ="safe").load(whole)["stream_large_bodies"] == "5m"
    options = options_of(started)
    assert {name for name in options if options.has_changed(name)} == set(own)


def schema(*args: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shown("--format", "json-schema", *args))
    return found


def test_the_schema_is_valid_and_takes_every_default(script: str) -> None:
    found = schema("-s", script, "--set", "zoo_file=x")
    jsonschema.Draft202012Validator.check_schema(found)
    check = jsonschema.Draft202012Validator(found)
    check.validate({name: about["default"] for name, about in found["properties"].items()})
    check.validate(
        {"mode": ["socks5"], "zoo_limit": 5, "zoo_rules": [{"a": 1}], "idle_timeout": "1h30m", "unknown": 1}
    )
    assert "confdir" not in found["properties"]
    assert "enum" not in found["properties"]["zoo_pace"]
    assert found["properties"]["flow_detail"]["enum"] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "wrong",
    [{"mode": "socks5"}, {"zoo_limit": "5x"}, {"zoo_rules": [1]}, {"idle_timeout": "soon"},
     {"connection_strategy": "x"}, {"listen_port": "1"}, {"server": 1}],
)  # fmt: skip
def test_the_schema_refuses_what_the_options_refuse(script: str, wrong: dict[str, Any]) -> None:
    found = schema("-s", script, "--set", "zoo_file=x")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(found).validate(wrong)


def test_what_is_set_can_be_saved(script: str, confdir: Path, started: list[Proxy]) -> None:
    file = confdir / "config.yaml"
    file.write_text("# mine\nlater: 1\n")
    assert "saved listen_port, mode in " in shown(
        "--set", "listen_port=8081", "--set", "mode=socks5", "--save"
    )
    assert file.read_text() == "# mine\nlater: 1\nmode:\n- socks5\nlisten_port: 8081\n"
    assert options_of(started).listen_port == 8081
    assert "say what to save" in refused("options", "--save")
    before = file.read_text()
    assert "is not a port" in refused("options", "--set", "listen_port=99999", "--save")
    assert file.read_text() == before


def test_nothing_of_yaml_is_loaded_without_a_file(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("ruamel") or name.endswith(".yaml_text")]:
        monkeypatch.delitem(sys.modules, name)
    assert run("-s", script, "--zoo", "x", "--set", "zoo_rules=[]").exit_code == 0
    assert not [name for name in sys.modules if name.startswith("ruamel")]


def test_flags_of_addons_before_a_command_do_not_start_a_proxy() -> None:
    said = refused("--anticache", "rules", "list", "rules.yaml")
    assert "rules: before a command there can be no flags of addons: write --set NAME=VALUE instead" in said
