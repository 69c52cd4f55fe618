import threading

from mitmproxy import ctx
from mitmproxy.script import concurrent


@concurrent
def request(flow):
    flow.request.headers["thread"] = str(threading.current_thread() is threading.main_thread())


class Methods:
    @concurrent
    def response(self, flow):
        ctx.log.info("in a thread")
        flow.response.headers["thread"] = str(threading.current_thread() is threading.main_thread())


addons = [Methods()]
