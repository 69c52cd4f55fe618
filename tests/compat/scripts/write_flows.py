import os
from typing import BinaryIO

from mitmproxy import http, io


class Writer:
    def __init__(self) -> None:
        self.f: BinaryIO = open(os.environ["COMPAT_FILE"], "wb")
        self.w = io.FlowWriter(self.f)
        self.filtered = io.FilteredFlowWriter(self.f, None)

    def response(self, flow: http.HTTPFlow) -> None:
        self.w.add(flow)
        self.filtered.add(flow)

    def done(self):
        self.f.close()


addons = [Writer()]
