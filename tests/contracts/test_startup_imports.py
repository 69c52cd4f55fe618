"""What a proxy that listens, and has done no more yet, has not imported: it does not wait for that."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LATER = {
    "aiohttp": "addons that serve, or speak HTTP for themselves",
    "attr": "service_identity",
    "brotli": "the first body that is compressed so, and looked at",
    "certifi": "the first HTTPS origin, on a system without authorities of its own",
    "dns": "mode dns",
    "email.mime": "nobody",
    "h2": "the first HTTP/2 connection",
    "hpack": "h2",
    "html": "the first error page",
    "hyperframe": "h2",
    "jinja2": "the first template of a mock",
    "json": "scripts",
    "jsonpatch": "the first rule with such a patch",
    "multiprocessing": "nobody",
    "peewee": "the storage addon",
    "proxyfw.cli.workers": "--workers",
    "proxyfw.filters": "the first filter",
    "proxyfw.testing": "tests",
    "ruamel": "the rules addon",
    "service_identity": "the first HTTPS origin",
    "sqlite3": "the storage addon",
    "wsproto": "the first WebSocket connection",
    "xml": "scripts",
    "zstandard": "the first body that is compressed so, and looked at",
}
"""Modules, and whose it is to import them."""

SCRIPT = """
import sys
from proxyfw import ctx

def running():
    assert ctx.proxy.addresses
    print(*sys.modules)
    ctx.proxy.shutdown()
"""


def imported(tmp_path: Path, *args: str) -> set[str]:
    """The modules of a command line that listens."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, "-m", "proxyfw", "-p", "0", "--confdir", str(tmp_path), "-s", str(script)]
    done = subprocess.run([*command, *args], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_it_starts_without_what_it_does_not_need(tmp_path: Path) -> None:
    modules = imported(tmp_path)
    assert "proxyfw.core.session" in modules
    early = {name for name in modules for later in LATER if name == later or name.startswith(later + ".")}
    assert not early, f"imported at start, though their time comes with {[LATER.get(m, m) for m in early]}"


def test_of_the_engines_for_http_1_only_the_chosen_one_is_imported(tmp_path: Path) -> None:
    assert {"h11", "httptools"} & imported(tmp_path, "--set", "http1_codec=h11") == {"h11"}
    if "httptools" in (auto := imported(tmp_path)):
        assert "h11" not in auto
