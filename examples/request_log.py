"""Write one line of JSON for each flow to a file, for jq, a log collector or a spreadsheet.

Run:  proxyfw -s examples/request_log.py --set log_file=flows.jsonl
See:  jq -r 'select(.status >= 500) | .url' flows.jsonl
"""

import json

from proxyfw import ctx
from proxyfw.addonmanager import Loader
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow


def load(loader: Loader) -> None:
    loader.add_option("log_file", str, "flows.jsonl", "Where the lines go.")


def flow_end(flow: Flow) -> None:
    if isinstance(flow, HTTPFlow):
        line = {"time": flow.timestamp_start, "method": flow.request.method, "url": flow.request.pretty_url}
        line["status"] = flow.response.status_code if flow.response else 0
        line["error"] = flow.error.msg if flow.error else ""
        with open(ctx.options.log_file, "a") as file:
            file.write(json.dumps(line) + "\n")
