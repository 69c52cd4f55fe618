from mitmproxy import ctx
from mitmproxy.addonmanager import Loader

happened = []


def load(loader: Loader):
    loader.add_option("lifecycle", str, "x", "")
    happened.append("load")


def configure(updated):
    happened.append("configure")


async def running():
    happened.append(f"running {ctx.options.listen_host}")


def done():
    happened.append("done")
