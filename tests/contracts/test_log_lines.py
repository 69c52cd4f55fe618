"""Log lines are for people: an address in one is ``host:port``, not a Python tuple."""

from __future__ import annotations

import ast

from tree import ROOT

LOGGING = {"debug", "info", "warning", "error", "exception", "critical"}
PAIRS = {"address", "peername", "sockname"}
MODULES = [*(ROOT / "proxyfw").rglob("*.py"), *(ROOT / "addons").rglob("*.py")]


def is_logging(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in LOGGING
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in ("log", "logger")
    )


def pairs_in(source: str) -> list[str]:
    """Arguments of logging calls in *source* that are pairs of host and port."""
    calls = [node for node in ast.walk(ast.parse(source)) if is_logging(node)]
    return [
        ast.unparse(argument)
        for call in calls
        if isinstance(call, ast.Call)
        for argument in call.args
        if isinstance(argument, ast.Attribute) and argument.attr.lstrip("_") in PAIRS
    ]


def test_no_log_line_shows_a_tuple() -> None:
    found = {path: pairs for path in MODULES if (pairs := pairs_in(path.read_text(encoding="utf-8")))}
    assert found == {}


def test_one_would_be_noticed() -> None:
    assert pairs_in('log.info("%s: %s", self.client.peername, e)') == ["self.client.peername"]
