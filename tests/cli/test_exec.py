"""``proxyfw exec``: programs go through the proxy and trust it, told by their environment alone."""

from __future__ import annotations

import fcntl
import http.server
import os
import pty
import shutil
import signal
import ssl
import subprocess
import sys
import termios
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from running import PATIENCE

from proxyfw.certs import Authority

pytestmark = pytest.mark.end_to_end
MOCK = """
from proxyfw.http import Response

def request(flow):
    if flow.request.host == "mocked.example":
        flow.response = Response.make(200, f"{flow.request.scheme} {flow.request.path}")
"""
Start = Callable[..., subprocess.Popen[str]]
Exec = Callable[..., subprocess.CompletedProcess[str]]


class Site(NamedTuple):
    """Files on a web server."""

    folder: Path
    url: str
    ca: Path


class Files(http.server.SimpleHTTPRequestHandler):
    """Serves them, and says nothing."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def confdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ca")


@pytest.fixture
def start(tmp_path: Path, confdir: Path) -> Iterator[Start]:
    """Starts ``proxyfw exec``; what is left at the end of the test is killed."""
    (tmp_path / "mock.py").write_text(MOCK)
    started: list[subprocess.Popen[str]] = []
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    environment["HOME"] = str(tmp_path)

    def run(*args: str, **more: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "proxyfw", "--confdir", str(confdir), "exec", *args]
        started.append(
            subprocess.Popen(  # type: ignore[call-overload]
                command,
                cwd=tmp_path,
                text=True,
                **{
                    "stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                    "env": environment, **more,
                },
            )
        )  # fmt: skip
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def execute(start: Start) -> Exec:
    """Runs ``proxyfw exec`` to its end."""

    def run(*args: str, given: str | None = None, **more: object) -> subprocess.CompletedProcess[str]:
        if given is not None:
            more["stdin"] = subprocess.PIPE
        process = start(*args, **more)
        out, err = process.communicate(given, timeout=PATIENCE)
        return subprocess.CompletedProcess(args, process.returncode, out, err)

    return run


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server on this machine, over TLS."""
    folder = tmp_path_factory.mktemp("site")
    authority = Authority.create("Test Origins")
    ca, pem = folder / "ca.pem", tmp_path_factory.mktemp("keys") / "leaf.pem"
    ca.write_bytes(authority.cert.to_pem())
    pem.write_bytes(authority.issue(["localhost", "127.0.0.1"]).to_pem())
    (folder / "page").write_text("the page\n")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(folder))) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Site(folder, f"https://localhost:{server.server_address[1]}", ca)
        server.shutdown()
        thread.join()


# A program and its wrapper


def test_the_streams_and_the_exit_code_are_the_programs(execute: Exec) -> None:
    done = execute("-s", "mock.py", "--", "sh", "-c", "cat; echo to stderr >&2; exit 7", given="from stdin\n")
    assert (done.returncode, done.stdout) == (7, "from stdin\n")
    assert done.stderr == "to stderr\n"


def test_what_the_proxy_and_its_scripts_print_goes_to_stderr(execute: Exec, tmp_path: Path) -> None:
    (tmp_path / "printing.py").write_text("def request(flow):\n    print('seen', flow.request.path)\n")
    curl = ["curl", "-sS", "http://mocked.example/a", "http://mocked.example/b"]
    done = execute("~u /b$", "-s", "printing.py", "-s", "mock.py", "--", *curl)
    assert (done.returncode, done.stdout) == (0, "http /ahttp /b"), done.stderr
    assert "seen /a\n" in done.stderr
    assert "GET http://mocked.example/b -> 200 OK" in done.stderr
    assert "GET http://mocked.example/a" not in done.stderr


def test_flags_of_addons_stand_before_two_dashes(execute: Exec, tmp_path: Path) -> None:
    (tmp_path / "greeting.py").write_text(
        "from proxyfw import ctx\n"
        "from proxyfw.http import Response\n"
        "def load(loader):\n"
        "    loader.add_option('greeting', str, '', 'What to say.', flag='--greeting')\n"
        "def request(flow):\n"
        "    flow.response = Response.make(200, ctx.options.greeting)\n"
    )
    curl = ["curl", "-sS", "http://mocked.example/"]
    done = execute("-q", "-s", "greeting.py", "--greeting", "hello", "--", *curl)
    assert (done.returncode, done.stdout) == (0, "hello"), done.stderr
    done = execute("-s", "greeting.py", "--greting", "hello", "--", *curl)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--greting" in done.stderr


def test_two_dashes_are_needed_for_a_filter_only(execute: Exec) -> None:
    assert execute("-q", "sh", "-c", "exit $#", "sh", "-s", "-q").returncode == 2


def test_a_program_that_a_signal_ends(execute: Exec) -> None:
    assert execute("sh", "-c", "kill -9 $$").returncode == 128 + signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_are_the_programs(start: Start, number: int) -> None:
    code = (
        "import signal, sys\n"
        f"signal.signal({int(number)}, lambda n, f: sys.exit(40 + n))\n"
        "print('ready', flush=True)\n"
        "signal.pause()"
    )
    process = start("--", sys.executable, "-c", code)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert process.wait(PATIENCE) == 40 + number


def test_a_terminal_interrupts_the_program_once(start: Start, tmp_path: Path) -> None:
    """Ctrl-C goes to both processes; it is not forwarded on top."""
    code = (
        "import signal, time\n"
        "got = []\n"
        "signal.signal(signal.SIGINT, lambda n, f: got.append(n))\n"
        "print('ready', flush=True)\n"
        "while not got: time.sleep(0.01)\n"
        "time.sleep(0.2)\n"
        "raise SystemExit(50 + len(got))"
    )
    mine, its = pty.openpty()
    try:
        process = start(
            "--", sys.executable, "-c", code, stdin=its, stdout=its, stderr=its, start_new_session=True,
            preexec_fn=partial(fcntl.ioctl, 0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        shown = b""
        while b"ready" not in shown:
            shown += os.read(mine, 1000)
        os.write(mine, b"\x03")
        assert process.wait(PATIENCE) == 51
    finally:
        os.close(mine)
        os.close(its)


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--", "no-such-program"], 127, "exec: no-such-program: no such program"),
        (["--", "./mock.py"], 126, "exec: cannot run ./mock.py: Permission denied"),
        ([], 2, "what to run is missing: proxyfw exec -- CMD"),
        (["-q", "--"], 2, "what to run is missing: proxyfw exec -- CMD"),
        (["-m", "socks5", "true"], 2, "mode: exec needs regular or upstream: first"),
        (["--set", "workers=2", "true"], 2, "workers: exec has one proxy"),
        (["--set", "server=false", "true"], 2, "server: exec has a proxy that listens"),
        (["~~", "--", "true"], 2, "option dumper_filter"),
    ],
)  # fmt: skip
def test_what_cannot_be_run(execute: Exec, args: list[str], code: int, message: str) -> None:
    done = execute(*args)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"proxyfw: {message}")
    assert "Traceback" not in done.stderr


def test_what_was_set_before_is_kept(execute: Exec, site: Site, tmp_path: Path) -> None:
    """And the files that were made are removed."""
    code = (
        "import os\n"
        "for name in ('NODE_OPTIONS', 'JAVA_TOOL_OPTIONS', 'SSL_CERT_FILE'): print(os.environ[name])\n"
        "print(open(os.environ['SSL_CERT_FILE']).read())"
    )
    given = {"NODE_OPTIONS": "--no-warnings", "JAVA_TOOL_OPTIONS": "-Dx=y", "SSL_CERT_FILE": str(site.ca)}
    done = execute("--", sys.executable, "-c", code, env={**os.environ, "HOME": str(tmp_path), **given})
    node, java, bundle, *content = done.stdout.splitlines()
    assert node.startswith("--no-warnings --require ")
    assert java.startswith("-Dx=y -Dhttp.proxyHost=127.0.0.1 ")
    assert site.ca.read_text().strip() in "\n".join(content)
    assert "\n".join(content).count("BEGIN CERTIFICATE") == 2
    assert not Path(bundle).parent.exists()


# Programs


NODE_FETCH = "fetch(process.argv[1]).then(r => r.text()).then(t => process.stdout.write(t))"
NODE_GET = (
    "const url = process.argv[1]; require(url.split(':')[0])"
    ".get(url, r => r.on('data', d => process.stdout.write(d)))"
)
CLIENTS = {
    "curl": ["curl", "-sS"],
    "urllib": [
        sys.executable, "-c",
        "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read().decode(), end='')",
    ],
    "requests": [sys.executable, "-c", "import sys, requests; print(requests.get(sys.argv[1]).text, end='')"],
    "httpx": [sys.executable, "-c", "import sys, httpx; print(httpx.get(sys.argv[1]).text, end='')"],
    "node fetch": ["node", "-e", NODE_FETCH],
    "node http": ["node", "-e", NODE_GET],
}  # fmt: skip


@pytest.fixture(params=list(CLIENTS))
def client(request: pytest.FixtureRequest) -> list[str]:
    """A command that prints what is at the URL that is appended."""
    command = CLIENTS[request.param]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    if request.param in ("requests", "httpx"):
        pytest.importorskip(request.param)
    return command


def test_clients_are_answered_by_a_script(execute: Exec, client: list[str]) -> None:
    twice = '"$@" http://mocked.example/a; "$@" https://mocked.example/b'
    done = execute("-q", "-s", "mock.py", "--", "sh", "-c", twice, "sh", *client)
    assert (done.returncode, done.stdout) == (0, "http /ahttps /b"), done.stderr


def test_clients_reach_a_server_on_this_machine_through_it(
    execute: Exec, client: list[str], site: Site
) -> None:
    done = execute("--set", f"ssl_verify_upstream_trusted_ca={site.ca}", "--", *client, f"{site.url}/page")
    assert (done.returncode, done.stdout) == (0, "the page\n"), done.stderr
    assert f"GET {site.url}/page -> 200 OK" in done.stderr


@pytest.mark.parametrize("code", [CLIENTS["node fetch"][2], CLIENTS["node http"][2]])
def test_node_reaches_an_address(execute: Exec, site: Site, code: str) -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    trust = f"ssl_verify_upstream_trusted_ca={site.ca}"
    done = execute(
        "-q", "--set", trust, "--", "node", "-e", code, f"{site.url.replace('localhost', '127.0.0.1')}/page"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "the page\n", "")


def test_git_clones_through_it(execute: Exec, site: Site, tmp_path: Path) -> None:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    work, bare = tmp_path / "work", site.folder / "repo.git"
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    for command in (
        ["git", "init", "-q", str(work)],
        ["git", "-C", str(work), *identity, "commit", "-q", "--allow-empty", "-m", "first"],
        ["git", "clone", "-q", "--bare", str(work), str(bare)],
        ["git", "-C", str(bare), "update-server-info"],
    ):
        subprocess.run(command, check=True, timeout=20, capture_output=True)
    done = execute(
        "--set", f"ssl_verify_upstream_trusted_ca={site.ca}", "--",
        "git", "clone", "-q", f"{site.url}/repo.git", "cloned",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"GET {site.url}/repo.git/info/refs?service=git-upload-pack -> 200 OK" in done.stderr
    assert (tmp_path / "cloned" / ".git").is_dir()


def test_pip_downloads_through_it(execute: Exec, site: Site, tmp_path: Path) -> None:
    pytest.importorskip("pip")
    place = site.folder / "simple" / "thing"
    place.mkdir(parents=True)
    wheel = "thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(place / wheel, "w") as archive:
        archive.writestr("thing.py", "")
        archive.writestr("thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n")
        archive.writestr("thing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("thing-1.0.dist-info/RECORD", "")
    (place / "index.html").write_text(f'<a href="{wheel}">{wheel}</a>')
    done = execute(
        "--set", f"ssl_verify_upstream_trusted_ca={site.ca}", "--",
        sys.executable, "-m", "pip", "--isolated", "download", "-q", "--no-deps", "--no-cache-dir",
        "--disable-pip-version-check", "--index-url", f"{site.url}/simple/", "--dest", str(tmp_path), "thing",
    )  # fmt: skip
    assert (tmp_path / wheel).exists(), done.stderr
    assert f"GET {site.url}/simple/thing/{wheel} -> 200 OK" in done.stderr


@pytest.mark.slow
def test_java_goes_through_it(execute: Exec, tmp_path: Path) -> None:
    if shutil.which("java") is None or shutil.which("javac") is None:
        pytest.skip("there is no JDK")
    (tmp_path / "Main.java").write_text(
        "public class Main { public static void main(String[] a) throws Exception {"
        " System.out.print(new String(new java.net.URL(a[0]).openStream().readAllBytes())); } }"
    )
    done = execute("-q", "-s", "mock.py", "--", "java", "Main.java", "https://mocked.example/java")
    assert (done.returncode, done.stdout) == (0, "https /java"), done.stderr
