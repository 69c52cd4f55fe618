"""Save every image that passes to a folder, each once, named by what is in it.

Run:  proxyfw -s examples/save_images.py --set image_folder=images
See:  Use a browser through the proxy; the folder fills.
"""

import hashlib
from pathlib import Path

from proxyfw import ctx
from proxyfw.addonmanager import Loader
from proxyfw.http import HTTPFlow

ENDINGS = {"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp"}


def load(loader: Loader) -> None:
    loader.add_option("image_folder", str, "images", "Where images are saved.")


def response(flow: HTTPFlow) -> None:
    assert flow.response
    kind = flow.response.headers.get("content-type", "").partition(";")[0].lower()
    if flow.response.content and kind in ENDINGS:
        folder = Path(ctx.options.image_folder)
        folder.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(flow.response.content).hexdigest()[:16] + ENDINGS[kind]
        (folder / name).write_bytes(flow.response.content)
