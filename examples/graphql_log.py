"""Log the operations of GraphQL: kind, name and variables, one line each.

Run:  proxyfw -s examples/graphql_log.py
See:  curl -x http://127.0.0.1:8080 http://api.example/graphql --json '{"query": "query Me { me { name } }"}'
      A line ``query Me {}`` on the log.
"""

import logging
import re

from proxyfw.http import HTTPFlow

log = logging.getLogger(__name__)


def request(flow: HTTPFlow) -> None:
    if not flow.request.path.endswith("/graphql") or flow.request.method != "POST":
        return
    asked = flow.request.json()
    for operation in asked if isinstance(asked, list) else [asked]:  # some clients send them in batches
        text = operation.get("query", "")
        found = re.search(r"\b(query|mutation|subscription)\b\s*(\w*)", text)
        kind, name = found.groups() if found else ("query", "")
        log.info("%s %s %s", kind, operation.get("operationName") or name, operation.get("variables", {}))
