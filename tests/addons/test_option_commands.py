"""set and options.*: options changed by commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxyfw.exceptions import CommandError
from proxyfw.testing import World, world


def value(w: World, name: str) -> Any:
    return getattr(w.proxy.options, name)


async def test_set() -> None:
    async with world(addons=["options", "intercept"]) as w:
        execute = w.proxy.commands.execute
        execute("set intercept ~m POST")
        assert value(w, "intercept") == "~m POST"
        execute("set 'intercept=~u \"a b\"'")
        assert value(w, "intercept") == '~u "a b"'
        execute("set intercept")
        assert value(w, "intercept") is None
        execute("set intercept_active toggle")
        assert value(w, "intercept_active") is False
        execute("set intercept_active")
        assert value(w, "intercept_active") is True
        for line in ("set intercept ~nosuch", "set intercep x", "set intercept_active maybe"):
            with pytest.raises(CommandError):
                execute(line)


async def test_reset_load_and_save(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    async with world(addons=["options", "intercept"]) as w:
        execute = w.proxy.commands.execute
        w.proxy.options.intercept = "~m POST"
        execute(f"options.save {path}")
        assert 'intercept: "~m POST"' in path.read_text() or "intercept: ~m POST" in path.read_text()
        execute("options.reset.one intercept")
        assert value(w, "intercept") is None
        execute(f"options.load {path}")
        assert value(w, "intercept") == "~m POST"
        path.write_text("intercept: ~nosuch\n")
        for line in (f"options.load {path}", f"options.save {tmp_path}", "options.reset.one nosuch"):
            with pytest.raises(CommandError):
                execute(line)
        assert value(w, "intercept") == "~m POST"
