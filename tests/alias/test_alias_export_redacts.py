"""What scripts export under mitmproxy's names is without secrets, too."""

from __future__ import annotations

from pathlib import Path

from proxyfw import ctx
from proxyfw.alias.addons import export
from proxyfw.http import Request, Response
from proxyfw.proxy import Proxy
from proxyfw.testing import http_flow


def test_secrets_are_in_no_export_while_redaction_is_on(tmp_path: Path) -> None:
    """features 84."""
    request = Request.make("GET", "http://a.test/", headers={"Authorization": "Bearer s3cret"})
    flow = http_flow(request, Response.make(200, b"", {"Set-Cookie": "id=s3cret"}))
    with ctx.use(Proxy({"confdir": str(tmp_path)}, redact=True)):
        for text in (export.curl_command(flow), export.httpie_command(flow)):
            assert "a.test" in text
            assert "s3cret" not in text
        assert b"s3cret" not in export.raw_request(flow) + export.raw_response(flow)
    with ctx.use(Proxy({"confdir": str(tmp_path)})):
        assert "s3cret" in export.curl_command(flow)
