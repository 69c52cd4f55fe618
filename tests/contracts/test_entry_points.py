"""Built-in addons are found as anybody's are: by entry point."""

from __future__ import annotations

import tomllib

import pytest
from tree import ROOT

from proxyfw.addonmanager import installed
from proxyfw.testing import addon_test_context

TABLE = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
FOLDER = ROOT / "addons" / "proxyfw_addons"


def test_the_table_is_the_folder() -> None:
    there = {path.stem for path in FOLDER.iterdir() if not path.name.startswith(("_", "py.typed"))}
    assert {target.partition(":")[0] for target in TABLE["proxyfw.addons"].values()} == {
        f"proxyfw_addons.{name}" for name in there
    }


@pytest.mark.parametrize("name", TABLE["proxyfw.addons"])
def test_an_addon_of_the_table_is_installed_and_loads(name: str) -> None:
    assert installed()[name].value == TABLE["proxyfw.addons"][name]
    with addon_test_context() as context:
        context.addons.add_installed(name)
        assert context.addons.names() == [name]
