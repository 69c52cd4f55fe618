"""Parts of a request as live multi-dicts: query, cookies, forms, and the components of the path.

Each view reads and writes the bytes of the request; parts nobody edits keep their spelling.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from proxyfw.model import cookies, multipart, query
from proxyfw.model.charset import parse_media_type
from proxyfw.model.headers import Text, to_bytes, to_str
from proxyfw.model.message import Message
from proxyfw.model.multidict import MultiDictView, MultiMapping

K = TypeVar("K")
V = TypeVar("V")
Pairs = MultiMapping[K, V] | Mapping[K, V] | Iterable[tuple[K, V]]
_FORM = "application/x-www-form-urlencoded"


class RequestViews(Message):
    """A message with a path, and what can be read out of a request."""

    __slots__ = ("path_bytes",)
    path_bytes: bytes

    @property
    def path(self) -> str:
        """The path with its query, as sent; ``*`` for ``OPTIONS *``."""
        return to_str(self.path_bytes)

    @path.setter
    def path(self, path: Text) -> None:
        self.path_bytes = to_bytes(path, "path")

    @property
    def path_components(self) -> tuple[str, ...]:
        """The percent-decoded parts of the path; assign any iterable of str."""
        return query.components(query.split_target(self.path)[0])

    @path_components.setter
    def path_components(self, components: Iterable[str]) -> None:
        old, *_ = query.split_target(self.path)
        self.path = query.from_components(components) + self.path[len(old) :]

    @property
    def query(self) -> MultiDictView[str, str]:
        """The query as a live multi-dict; parameters nobody edits keep their spelling."""
        return MultiDictView(self._get_query, self._set_query)

    @query.setter
    def query(self, pairs: Pairs[str, str]) -> None:
        self._set_query(pairs_of(pairs))

    @property
    def cookies(self) -> MultiDictView[str, str]:
        """The cookies sent, as a live multi-dict."""
        return MultiDictView(self._get_cookies, self._set_cookies)

    @cookies.setter
    def cookies(self, pairs: Pairs[str, str]) -> None:
        self._set_cookies(pairs_of(pairs))

    @property
    def urlencoded_form(self) -> MultiDictView[str, str]:
        """The body of an ``application/x-www-form-urlencoded`` request as a live multi-dict, else empty.

        Assigning makes the body such a form.
        """
        return MultiDictView(self._get_form, self._set_form)

    @urlencoded_form.setter
    def urlencoded_form(self, pairs: Pairs[str, str]) -> None:
        self._set_form(pairs_of(pairs))

    @property
    def multipart_form(self) -> MultiDictView[bytes, bytes]:
        """The body of a ``multipart/form-data`` request as a live multi-dict of bytes, else empty.

        Assigning makes the body such a form; fields that stay keep file name and content type.
        """
        return MultiDictView(self._get_multipart, self._set_multipart)

    @multipart_form.setter
    def multipart_form(self, pairs: Pairs[bytes, bytes]) -> None:
        self._set_multipart(pairs_of(pairs))

    def _get_query(self) -> list[tuple[str, str]]:
        return query.parse(query.split_target(self.path)[1])

    def _set_query(self, pairs: Sequence[tuple[str, str]]) -> None:
        path, old, fragment = query.split_target(self.path)
        new = query.edit(old, pairs)
        self.path = f"{path}?{new}{fragment}" if new else path + fragment

    def _get_cookies(self) -> list[tuple[str, str]]:
        return cookies.parse_cookies(self._headers.get_all("cookie"))

    def _set_cookies(self, pairs: Sequence[tuple[str, str]]) -> None:
        header = cookies.edit_cookies(self._headers.get_all("cookie"), pairs)
        self._headers.set_all("cookie", [header] if header else [])

    def _get_form(self) -> list[tuple[str, str]]:
        return query.parse(self._form_text() or "")

    def _set_form(self, pairs: Sequence[tuple[str, str]]) -> None:
        old = self._form_text()
        if old is None:
            self._headers["content-type"] = _FORM
        self.set_content(to_bytes(query.edit(old or "", pairs)))

    def _form_text(self) -> str | None:
        if parse_media_type(self._headers.get("content-type", ""))[0] != _FORM:
            return None
        return to_str(self.get_content(strict=False) or b"")

    def _get_multipart(self) -> list[tuple[bytes, bytes]]:
        boundary = multipart.boundary_of(self._headers.get("content-type", ""))
        if boundary is None:
            return []
        parts = multipart.parse(self.get_content(strict=False) or b"", boundary)
        return [(part.name, part.value) for part in parts]

    def _set_multipart(self, pairs: Sequence[tuple[bytes, bytes]]) -> None:
        boundary = multipart.boundary_of(self._headers.get("content-type", ""))
        old = self.get_content(strict=False) or b""
        if boundary is None:
            old, boundary = b"", multipart.new_boundary()
            self._headers["content-type"] = b"multipart/form-data; boundary=" + boundary
        self.set_content(multipart.edit(old, boundary, pairs))


def pairs_of(source: Pairs[K, V]) -> list[tuple[K, V]]:
    """The pairs of a multi-dict (all of them), a mapping, or pairs."""
    if isinstance(source, MultiMapping):
        return list(source.items(multi=True))
    return list(source.items() if isinstance(source, Mapping) else source)
