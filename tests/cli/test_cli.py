"""The command line without a running proxy: help, reports, certificates, one clear line for what is wrong."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from proxyfw import addonmanager, proxy
from proxyfw.certs import Cert
from proxyfw.cli import program as behaviour
from proxyfw.cli.addons import _description, _origin
from proxyfw.cli.main import program
from proxyfw.cli.settings import Settings
from proxyfw.exceptions import AddonError, CertificateError, OptionsError
from proxyfw.hookspecs import HOOKS
from proxyfw.proxy import Proxy


@pytest.fixture(autouse=True)
def _never_for_long(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test here means to start a proxy, or to read what the user of this machine has configured."""
    monkeypatch.setenv("HOME", str(tmp_path))

    async def start(self: Proxy) -> None:
        self.options.check_deferred()
        raise AssertionError("the proxy has started")

    monkeypatch.setattr(Proxy, "start", start)


def run(*args: str) -> Result:
    result = CliRunner().invoke(program, args, prog_name="proxyfw")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def wrong(*args: str) -> str:
    """The one line that says what is wrong with *args*."""
    result = run(*args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("proxyfw: ")
    assert result.stderr.count("\n") == 1
    return result.stderr.strip()


# As a whole


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_options_and_commands(flag: str) -> None:
    text = run(flag).stdout
    for part in ("--script", "--listen-port", "--listen-host", "--mode", "--set", "--quiet", "--verbose",
                 "--no-server", "--ssl-insecure", "--confdir", "--addon", "--flow-detail", "--version",
                 "addons", "cert", "hooks", "FILTER"):  # fmt: skip
        assert part in text


def test_version() -> None:
    assert run("--version").stdout == f"proxyfw {importlib.metadata.version('proxyfw')}\n"


@pytest.mark.parametrize(
    ("args", "part"),
    [
        (["--sett", "x"], "--set"),
        (["crt"], "did you mean 'cert'? As a filter, write '~u crt'"),
        (["--addon", "no:dumper", "~q"], "~q: a filter is for the addon dumper, which is left out"),
        (["add.py"], "write -s add.py"),
        (["-p", "eighty"], "'eighty' is not a valid integer"),
        (["-p", "99999"], "listen_port: 99999 is not a port"),
        (["--flow-detail", "5"], "flow_detail must be one of 0, 1, 2, 3, 4, not 5"),
        (["--set", "listen_prot=1"], "did you mean 'listen_port'?"),
        (["--set", "request_client_cert=perhaps"], "option request_client_cert"),
        (["-m", "regulr"], "'regulr'"),
        (["-m", "regular@x"], "'regular@x'"),
        (["--addon", "dumpr"], "did you mean 'dumper'?"),
        (["--addon", "no:zzz"], "there are access, anticache"),
        (["cert", "export", "--format", "jpg"], "'pem', 'cer', 'der', 'p12'"),
        (["hooks", "reqest"], "did you mean 'request'?"),
        (["hooks", "clientconnect"], "did you mean 'client_connected'?"),
        (["hooks", "websocket"], "did you mean 'websocket_"),
        (["cert", "paht"], "paht"),
    ],
)
def test_wrong_usage_is_one_line(args: list[str], part: str, tmp_path: Path) -> None:
    assert part in wrong("--confdir", str(tmp_path), "-n", *args)


@pytest.mark.parametrize("light", [["hooks"], ["hooks", "request"], ["--version"]])
def test_what_needs_no_proxy_loads_none(light: list[str]) -> None:
    code = (
        "import sys; from proxyfw.cli.main import main\n"
        "try: main()\n"
        "finally: print({'cryptography', 'OpenSSL', 'asyncio', 'h11'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *light], capture_output=True, text=True, check=True)
    assert done.stderr == "set()\n"


def test_whose_fault_it_is() -> None:
    """A wrong option is wrong usage (2); what it leads to is not (1)."""
    broken = OptionsError("x.py:1: SyntaxError")
    broken.__cause__ = AddonError("x.py:1: SyntaxError")
    assert behaviour.is_wrong_usage(OptionsError("unknown option"))
    assert not behaviour.is_wrong_usage(broken)
    assert not behaviour.is_wrong_usage(CertificateError("no key"))


def test_our_own_faults_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(self: Settings) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Settings, "addon_names", fault)
    assert isinstance(CliRunner().invoke(program, []).exception, ZeroDivisionError)


def test_ctrl_c_before_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(self: Settings) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Settings, "addon_names", interrupt)
    assert CliRunner().invoke(program, []).exit_code == 130


# Filters


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["~m POST & ~c 5xx"], "~m POST & ~c 5xx"),
        (["-q", "~u", "x.py", "|", "~u x.py"], "~u x.py | ~u x.py"),
        (["~u x.py", "-q"], "~u x.py"),
        (["example.com", "-p", "0", "cert"], "example.com cert"),
        (["--", "-x"], "-x"),
        (["crt", "hoks"], "crt hoks"),
        ([], None),
    ],
)
def test_words_are_a_filter(args: list[str], text: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the first is a command; options may stand among them."""
    given: list[Settings] = []
    monkeypatch.setattr("proxyfw.cli.run.run", given.append)
    assert run(*args).exit_code == 0
    assert [settings.filter for settings in given] == [text]
    assert given[0].quiet == ("-q" in args)


def test_a_filter_that_cannot_be_read() -> None:
    result = run("-n", "~m POST", "& ~c foo")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "proxyfw: option dumper_filter: 'foo' is not a status: write 404, 4xx, 500-599, 200,204 or >=400",
        "    ~m POST & ~c foo",
        "                 ^",
    ]


# What the flags mean


def test_flags_become_options() -> None:
    settings = Settings(
        scripts=("a.py", "b.py"), listen_port=0, listen_host="", modes=("regular",), no_server=True,
        ssl_insecure=True, confdir="/x", flow_detail=2, filter="~q",
        specs=("listen_port=1", "certs=a", "certs=b"),
    )  # fmt: skip
    options = settings.options()
    options.add_option("scripts", list[str], [], "")
    options.add_option("listen_port", int, 8080, "")
    options.add_option("certs", list[str], [], "")
    assert options.scripts == ["a.py", "b.py"]
    assert options.listen_port == 0
    assert options.certs == ["a", "b"]
    assert set(options.deferred) == {
        "dumper_filter",
        "listen_host",
        "mode",
        "server",
        "ssl_insecure",
        "confdir",
        "flow_detail",
    }


def test_what_is_not_given_stays_as_it_is() -> None:
    assert Settings().options().deferred == []


def test_quiet_and_verbose() -> None:
    assert Settings(quiet=True).options().deferred == ["flow_detail"]
    assert Settings(quiet=True, addons=("no:dumper",)).options().deferred == []
    assert [Settings(quiet=True).verbosity, Settings().verbosity, Settings(verbose=True).verbosity] == [
        -1,
        0,
        1,
    ]


def offer(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    offers = {name: EntryPoint(name, f"some.{name}", "proxyfw.addons") for name in names}
    monkeypatch.setattr(addonmanager, "installed", lambda: offers)


def test_the_addons_to_load(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, "access", "dumper", "map", "mock")
    monkeypatch.setattr(proxy, "DEFAULT_ADDONS", ("access",))
    assert Settings().addon_names() == ["access", "dumper"]
    assert Settings(addons=("mock", "map")).addon_names() == ["access", "mock", "map", "dumper"]
    assert Settings(addons=("no:dumper", "no:map")).addon_names() == ["access"]
    assert Settings(addons=("no:access", "access", "access")).addon_names() == ["access", "dumper"]
    with pytest.raises(click.UsageError, match="did you mean 'mock'"):
        Settings(addons=("mokc",)).addon_names()


# Reports


def test_all_hooks_are_listed() -> None:
    text = run("hooks").stdout
    for name in HOOKS:
        assert f"  {name}(" in text
    assert text.startswith("life-cycle\n  load(loader) ")
    assert "\n\nHTTP\n  requestheaders(flow) " in text


def test_a_hook_is_explained() -> None:
    text = run("hooks", "request").stdout
    assert text.startswith("request(flow: HTTPFlow)\n\nThe ")
    assert "flow.response" in text
    assert run("hooks", "running").stdout.startswith("running()\n")
    assert run("hooks", "load_state").stdout.startswith("load_state(state: object)\n")


def test_addons_are_listed() -> None:
    lines = run("addons").stdout.splitlines()
    marks = {name: mark for mark, name, *_ in map(str.split, lines)}
    assert {name for name, mark in marks.items() if mark == "+"} == {*proxy.DEFAULT_ADDONS, "dumper"}
    assert marks["proxyauth"] == "-"
    assert "  Prints every flow on standard output when it is over" in run("addons").stdout


def test_addons_are_described_without_running_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "cli_fine.py").write_text('"""Does one\nthing. And more.\n\nLong."""\nraise SystemExit\n')
    (tmp_path / "cli_bare.py").write_text("")
    (tmp_path / "cli_broken.py").write_text("def (")
    assert _description("cli_fine") == "Does one thing"
    assert _description("cli_bare") == ""
    assert _description("cli_broken").startswith("(cannot be read: ")
    assert _description("cli_absent") == "(cannot be found)"
    assert _description("cli_absent.inside").startswith("(cannot be read: ")


def test_an_addon_of_nobody() -> None:
    assert _origin(EntryPoint("x", "some.where:X", "proxyfw.addons")) == "some.where"


# Certificates


def test_cert_path_makes_the_authority(tmp_path: Path) -> None:
    path = Path(run("cert", "path", "--confdir", str(tmp_path / "new")).stdout.strip())
    assert path == tmp_path / "new" / "proxyfw-ca-cert.pem"
    assert Cert.from_pem(path.read_bytes()).is_ca


@pytest.mark.parametrize("args", [["cert"], ["cert", "info"]])
def test_cert_info(args: list[str], tmp_path: Path) -> None:
    text = run("--confdir", str(tmp_path), *args).stdout
    known = Cert.from_pem((tmp_path / "proxyfw-ca-cert.pem").read_bytes())
    for part in (str(tmp_path / "proxyfw-ca-cert.pem"), known.fingerprint_text(), known.spki_fingerprint(),
                 f"{known.notafter:%Y-%m-%d}", "CN=proxyfw"):  # fmt: skip
        assert part in text


def test_the_nearest_confdir_counts(tmp_path: Path) -> None:
    one, two, three = (str(tmp_path / name) for name in "123")
    assert run("--confdir", one, "cert", "path").stdout.startswith(one)
    assert run("--confdir", one, "cert", "--confdir", two, "path").stdout.startswith(two)
    assert run("--confdir", one, "cert", "--confdir", two, "path", "--confdir", three).stdout.startswith(
        three
    )
    assert run("--set", f"confdir={two}", "cert", "path").stdout.startswith(two)


@pytest.mark.parametrize(
    ("form", "start"), [("pem", b"-----BEGIN"), ("cer", b"-----BEGIN"), ("der", b"0\x82")]
)
def test_cert_export(form: str, start: bytes, tmp_path: Path) -> None:
    data = run("cert", "export", "--confdir", str(tmp_path), "--format", form).stdout_bytes
    assert data.startswith(start)
    assert b"PRIVATE" not in data
    run("cert", "export", "--confdir", str(tmp_path), "-o", str(tmp_path / f"out.{form}"))
    assert (tmp_path / f"out.{form}").read_bytes() == data


def test_binary_is_not_for_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cert_export(*args: str) -> Result:
        return run("cert", "export", "--confdir", str(tmp_path), *args)

    monkeypatch.setattr("proxyfw.cli.cert.is_terminal", lambda: True)
    refused = cert_export("--format", "p12")
    assert refused.exit_code == 2
    assert refused.stdout == ""
    assert "-o FILE" in refused.stderr
    assert cert_export("--format", "pem").stdout.startswith("-----BEGIN")
    assert cert_export("--format", "p12", "-o", str(tmp_path / "x")).exit_code == 0


@pytest.mark.parametrize(
    ("args", "part"),
    [
        (["cert", "export", "-o", "/nonexistent/x"], "/nonexistent/x"),
        (["cert", "--confdir", "/dev/null"], "/dev/null"),
    ],
)
def test_files_that_cannot_be_written(args: list[str], part: str, tmp_path: Path) -> None:
    result = run("--confdir", str(tmp_path), *args)
    assert result.exit_code == 1
    assert part in result.stderr
    assert result.stderr.count("\n") == 1


def test_an_encrypted_authority_is_opened_by_its_passphrase(tmp_path: Path) -> None:
    confdir = ["--confdir", str(tmp_path)]
    assert run(*confdir, "--set", "cert_passphrase=secret", "cert").exit_code == 0
    assert run(*confdir, "cert").exit_code == 1
    assert run(*confdir, "--set", "cert_passphrase=secret", "cert").exit_code == 0
