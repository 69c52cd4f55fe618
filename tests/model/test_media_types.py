"""Media types of file names, the same on every machine."""

from __future__ import annotations

import pytest

from proxyfw.http import media_type_of


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.json", "application/json"),
        ("a.HTML", "text/html"),
        ("dir.html/a", "application/octet-stream"),
        ("a.js", "text/javascript"),
        ("a.woff2", "font/woff2"),
        ("a.tar.gz", "application/gzip"),
        ("a.txt.br", "application/octet-stream"),
        ("a.unheard-of", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
def test_the_type_a_name_says(name: str, kind: str) -> None:
    assert media_type_of(name) == kind
