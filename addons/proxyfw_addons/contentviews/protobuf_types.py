"""Message types from descriptor sets, through the library protobuf, an extra (``proxyfw[protobuf]``)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from proxyfw.exceptions import OptionsError

OPTION = "protobuf_descriptors"


class Types:
    """The messages and services of some descriptor sets, in a pool of their own."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    @classmethod
    def read(cls, paths: Iterable[str]) -> Types:
        """What the files describe. Raises OptionsError: no library, no file, no descriptor set."""
        try:
            from google.protobuf.descriptor_pb2 import FileDescriptorSet
            from google.protobuf.descriptor_pool import DescriptorPool
        except ImportError:
            raise OptionsError(
                f"option {OPTION} needs the library protobuf: pip install 'proxyfw[protobuf]'"
            ) from None
        pool = DescriptorPool()
        for path in paths:
            described = FileDescriptorSet()
            try:
                described.ParseFromString(Path(path).expanduser().read_bytes())
                for file in described.file:
                    pool.Add(file)
                    pool.FindFileByName(file.name)
            except OSError as problem:
                raise OptionsError(f"option {OPTION}: cannot read {path}: {problem.strerror}") from None
            except Exception as problem:  # the library has several kinds
                raise OptionsError(
                    f"option {OPTION}: {path} is not a complete descriptor set ({problem}); write it with "
                    "protoc --include_imports --descriptor_set_out"
                ) from None
        return cls(pool)

    def of_method(self, path: str) -> tuple[str, str] | None:
        """The types of request and response of ``/package.Service/Method``, or None."""
        service, _, method = path.strip("/").partition("/")
        try:
            found = self._pool.FindServiceByName(service).methods_by_name[method]
        except KeyError:
            return None
        return found.input_type.full_name, found.output_type.full_name

    def text(self, name: str, data: bytes) -> str | None:
        """*data* as a message of that type in text format; None if there is no such type, or it is none."""
        from google.protobuf import text_format
        from google.protobuf.message import DecodeError
        from google.protobuf.message_factory import GetMessageClass

        try:
            message = GetMessageClass(self._pool.FindMessageTypeByName(name))()
            message.ParseFromString(data)
        except (KeyError, DecodeError):
            return None
        return text_format.MessageToString(
            message, as_utf8=True, print_unknown_fields=True, descriptor_pool=self._pool
        )
