from mitmproxy import contentviews


class ViewSwapCase(contentviews.View):
    name = "swapcase"
    content_types = ["text/plain"]

    def __call__(self, data, **metadata):
        return "case-swapped text", contentviews.format_text(data.swapcase())

    def render_priority(self, data, *, content_type=None, **unknown_metadata):
        return 1.0 if content_type == "text/plain" else 0


view = ViewSwapCase()


def load(loader):
    contentviews.add(view)


def done():
    contentviews.remove(view)
