"""A Python program with requests; fields of the same name are joined, since it has one of each."""

from __future__ import annotations

from .python_httpx import literal
from .sent import Sent


def snippet(sent: Sent) -> str:
    """The program."""
    skipped = [name for name in ("User-Agent", "Accept-Encoding") if sent.lacks(name.lower())]
    fields = [f"        {name!r}: {value!r},\n" for name, value in sent.joined]
    fields += [f"        {name!r}: SKIP_HEADER,\n" for name in skipped]
    parts = [f"    {sent.method!r},\n", f"    {sent.url!r},\n", "    headers={\n", *fields, "    },\n"]
    if sent.body is not None:
        parts.append(f"    data={literal(sent)},\n")
    imports = "import requests\n" + ("from urllib3.util import SKIP_HEADER\n" if skipped else "")
    exact = "" if sent.plain else f"request.url = {sent.url!r}  # as it is, not as requests would write it\n"
    return (
        f"{imports}\nrequest = requests.Request(\n{''.join(parts)}).prepare()\n"
        f"{exact}with requests.Session() as session:\n"
        "    response = session.send(request, allow_redirects=False)\n"
        "print(response.status_code, response.headers)\nprint(response.text)\n"
    )
