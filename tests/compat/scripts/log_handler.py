import logging

from mitmproxy.log import ALERT, MitmLogHandler

seen = []


class Events(MitmLogHandler):
    def emit(self, record):
        seen.append((record.levelno >= ALERT, record.getMessage()))


handler = Events()


def load(loader):
    handler.install()


def response(flow):
    logging.getLogger("some.library").warning("heard")


def done():
    handler.uninstall()
