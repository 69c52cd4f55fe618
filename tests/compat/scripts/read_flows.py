import os

from mitmproxy import ctx, http, io
from mitmproxy.exceptions import FlowReadException


def running():
    with open(os.environ["COMPAT_FILE"], "rb") as logfile:
        freader = io.FlowReader(logfile)
        try:
            for f in freader.stream():
                if isinstance(f, http.HTTPFlow):
                    ctx.log.info(f"read {f.request.host}")
        except FlowReadException as e:
            ctx.log.info(f"damaged: {e}")
