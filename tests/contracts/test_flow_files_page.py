"""The page about files of flows: its two programs work together."""

from __future__ import annotations

from pathlib import Path

import pytest
from tree import snippets

from proxyfw import hookspecs, testing


async def test_what_the_first_program_writes_the_second_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    writes, reads = snippets("docs/howto/flow-files.md")
    (tmp_path / "keep.py").write_text(writes)
    async with testing.world(scripts=["keep.py"]) as world:
        for status in (200, 503):
            await world.proxy.addons.call(
                hookspecs.flow_end, testing.http_flow(f"http://example.com/{status}", status)
            )
    exec(compile(reads, "reads.py", "exec"), {})
    assert capsys.readouterr().out == "http://example.com/503 <Response 503 7 bytes>\n"
