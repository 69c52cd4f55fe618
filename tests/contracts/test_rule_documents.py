"""Rules that docs show can be read as they stand, and suit the published JSON Schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML
from tree import ROOT, snippets

from proxyfw.proxy import Proxy
from proxyfw.rules import RuleBook
from proxyfw.ruleset.document import RuleFile

OWN_ACTION = "stamp"
"""What `docs/howto/rules.md` shows how to write."""


def _rule_snippets() -> list[tuple[str, str]]:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    names = [str(page.relative_to(ROOT)) for page in pages]
    return [(name, text) for name in names for text in snippets(name, "yaml") if "action:" in text]


SHOWN = _rule_snippets()


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> RuleBook:
    return Proxy({"confdir": str(tmp_path_factory.mktemp("confdir"))}).addons.rules


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads((ROOT / "docs/reference/rules.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize(("page", "text"), SHOWN)
def test_rules_in_docs_can_be_read(
    page: str, text: str, book: RuleBook, validator: jsonschema.Draft202012Validator
) -> None:
    if f"type: {OWN_ACTION}" in text:
        return
    file = RuleFile(Path("shown.yaml"), text)
    assert file.rules(book), page
    data: Any = YAML(typ="safe", pure=True).load(text)
    assert [error.message for error in validator.iter_errors(data)] == [], page


def test_there_are_rules_in_docs() -> None:
    assert len(SHOWN) > 5
