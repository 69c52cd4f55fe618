"""``proxyfw addons new``: the package it writes works as it is, and nothing is ever overwritten."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest
from click.testing import CliRunner

from proxyfw.cli import skeleton
from proxyfw.cli.main import program
from proxyfw.exceptions import AddonError

ROOT = Path(__file__).parents[2]


def new(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(program, ["addons", "new", name], prog_name="proxyfw")
    assert result.exit_code == 0, result.output
    assert f"wrote {name}/pyproject.toml\n" in result.output
    return folder / name


def install(package: Path, site: Path) -> None:
    """What an installer would write about *package*, without one."""
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (info / "METADATA").write_text(head)
    offers = project["entry-points"]["proxyfw.addons"]
    lines = "".join(f"{name} = {target}\n" for name, target in offers.items())
    (info / "entry_points.txt").write_text(f"[proxyfw.addons]\n{lines}")


def python(*args: str, cwd: Path, path: str = "") -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    done = subprocess.run(
        [sys.executable, *args], cwd=cwd, env={**environment, "PYTHONPATH": path},
        capture_output=True, text=True, timeout=50,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["say-hello", "hello_again"])
def test_the_package_passes_its_own_tests_and_is_offered(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """features 7: found by its entry point, and listed."""
    package = new(name, tmp_path, monkeypatch)
    site = tmp_path / "site"
    install(package, site)
    path = os.pathsep.join([str(package / "src"), str(site)])
    out = python("-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=package, path=path)
    assert "4 passed" in out
    listed = python("-m", "proxyfw", "addons", cwd=package, path=path)
    (line,) = (line for line in listed.splitlines() if f" {name} " in line)
    assert line.startswith(f"- {name} ")
    assert line.endswith(f"  {name} 0.1.0  Says hello in a header of every response")


def test_it_says_what_it_is_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = new("a-b2_c", tmp_path, monkeypatch)
    project = tomllib.loads((package / "pyproject.toml").read_text())
    assert project["project"]["name"] == "a-b2_c"
    assert project["project"]["entry-points"] == {"proxyfw.addons": {"a-b2_c": "a_b2_c"}}
    (dependency,) = project["project"]["dependencies"]
    assert dependency.startswith("proxyfw>=0.1")
    files = [path for path in package.rglob("*") if path.is_file()]
    assert {path.relative_to(package).as_posix() for path in files} == {
        "pyproject.toml", "README.md", ".gitignore", "src/a_b2_c/__init__.py", "src/a_b2_c/py.typed",
        "tests/test_a_b2_c.py",
    }  # fmt: skip
    for path in files:
        assert "my_addon" not in path.read_text()
        assert "my-addon" not in path.read_text()


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("My Addon", "digits and single dashes or underscores, and begins with a letter; try my-addon"),
        ("3things", "begins with a letter; try things"),
        ("a--b", "try a-b"),
        ("..", "lower-case letters"),
        ("", "lower-case letters"),
        ("a/b", "try a-b"),
        ("../x", "try x"),
        ("class", "the word belongs to Python"),
        ("json", "there is a module json already"),
        ("proxyfw", "there is a module proxyfw already"),
        ("proxyfw-addons", "there is a module proxyfw_addons already"),
        ("dumper", "one of this name is installed"),
    ],
)  # fmt: skip
def test_names_that_cannot_be(name: str, part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(program, ["addons", "new", name], prog_name="proxyfw")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"proxyfw: {name!r} cannot be the name of an addon: ")
    assert part in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["directory", "file", "link"])
def test_nothing_is_overwritten(kind: str, tmp_path: Path) -> None:
    place = tmp_path / "mine"
    if kind == "directory":
        place.mkdir()
    elif kind == "file":
        place.write_text("precious")
    else:
        place.symlink_to(tmp_path / "nowhere")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(AddonError, match="mine exists already: nothing was written"):
        skeleton.write("mine", tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(AddonError, match="mine cannot be written: No such file or directory"):
        skeleton.write("mine", tmp_path / "nowhere")


def test_addons_alone_still_lists_them() -> None:
    listed, alone = (
        CliRunner().invoke(program, words, prog_name="proxyfw") for words in (["addons", "list"], ["addons"])
    )
    assert listed.output == alone.output
    assert "+ access " in alone.output


def test_the_how_to_shows_what_is_written(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "howto" / "publish-an-addon.md").read_text(encoding="utf-8")
    (entry_point,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    skeleton.write("say-hello", tmp_path)
    assert entry_point in (tmp_path / "say-hello" / "pyproject.toml").read_text()


@pytest.mark.slow
@pytest.mark.end_to_end
@pytest.mark.timeout(600)
def test_in_a_fresh_environment_it_installs_passes_and_runs(tmp_path: Path) -> None:
    """Everything as its README says; the wheel of proxyfw has the templates."""
    environment = tmp_path / ".venv"
    venv.create(environment, with_pip=True)

    def do(program: str, *args: str, folder: Path = tmp_path) -> str:
        command = [str(environment / "bin" / program), *args]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=500)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    do("pip", "install", "--quiet", str(ROOT))
    do("proxyfw", "addons", "new", "say-hello")
    package = tmp_path / "say-hello"
    do("pip", "install", "--quiet", "-e", ".[test]", folder=package)
    assert "4 passed" in do("pytest", "-q", folder=package)
    assert "\n- say-hello " in do("proxyfw", "addons")
    do("pip", "wheel", "--quiet", "--no-deps", ".", folder=package)
    assert list(package.glob("say_hello-0.1.0-*.whl"))
