"""Files of users as Apache's htpasswd writes them: bcrypt (-B), SHA-1 (-s) and its own MD5 (-m)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
import os
from collections.abc import Callable
from pathlib import Path

from proxyfw.exceptions import OptionsError

logger = logging.getLogger("proxyfw")

Check = Callable[[bytes], bool]
"""Whether this is the password."""

_NOBODY = "{SHA}" + base64.b64encode(bytes(20)).decode()
_ITOA64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BCRYPT_LIMIT = 72
"""Bytes of a password that bcrypt looks at."""


class Htpasswd:
    """The users of one file, read again when it changes; a change for the worse leaves them as they were."""

    def __init__(self, path: str) -> None:
        """Raises OptionsError if the file cannot be read or a line cannot be understood."""
        self._path = Path(path).expanduser()
        self._stamp: tuple[int, int] | None = None
        self._users: dict[str, Check] = {}
        self._known: dict[str, bytes] = {}
        """Digests of passwords that were right: the slow ones are computed once."""
        self._salt = os.urandom(16)
        self._read()

    async def admits(self, user: str, password: str) -> bool:
        """Whether *user* is in the file with *password*; unknown users take as long as known ones."""
        self._reread()
        digest = hmac.digest(self._salt, password.encode("utf-8", "replace"), "sha256")
        known = self._known.get(user)
        if known is not None and hmac.compare_digest(known, digest):
            return True
        check = self._users.get(user) or next(iter(self._users.values()), _checker(_NOBODY))
        right = await asyncio.to_thread(check, password.encode("utf-8", "replace"))
        if not right or user not in self._users:
            return False
        self._known[user] = digest
        return True

    def _reread(self) -> None:
        try:
            if self._stamp != self._look():
                self._read()
        except (OSError, OptionsError) as problem:
            self._stamp = None
            logger.error("%s; its users stay as they were", problem)

    def _look(self) -> tuple[int, int]:
        found = self._path.stat()
        return found.st_mtime_ns, found.st_size

    def _read(self) -> None:
        try:
            stamp = self._look()
            lines = self._path.read_text("utf-8").splitlines()
        except (OSError, UnicodeError) as problem:
            reason = getattr(problem, "strerror", None) or problem
            raise OptionsError(f"proxyauth: cannot read {self._path}: {reason}") from None
        users = {}
        for number, line in enumerate(lines, 1):
            if line.strip() and not line.startswith("#"):
                user, colon, hashed = line.strip().partition(":")
                try:
                    users[user] = _checker(hashed if colon else "")
                except ValueError as problem:
                    raise OptionsError(f"proxyauth: {self._path}, line {number}: {problem}") from None
        self._stamp, self._users, self._known = stamp, users, {}


def _checker(hashed: str) -> Check:
    """What compares passwords with *hashed*. Raises ValueError if it is of an unknown kind."""
    if hashed.startswith("{SHA}"):
        wanted = hashed[5:].encode()
        return lambda password: hmac.compare_digest(
            base64.b64encode(hashlib.sha1(password, usedforsecurity=False).digest()), wanted
        )
    if hashed.startswith(("$2y$", "$2b$", "$2a$")):
        return _bcrypt(hashed)
    if hashed.startswith("$apr1$") and hashed.count("$") == 3:
        salt = hashed.split("$")[2]
        return lambda password: hmac.compare_digest(apr1(password, salt.encode()), hashed)
    raise ValueError("this kind of password is not known here; make it with htpasswd -B")


def _bcrypt(hashed: str) -> Check:
    try:
        import bcrypt
    except ImportError:
        raise ValueError("bcrypt passwords need another package: pip install 'proxyfw[bcrypt]'") from None
    wanted = b"$2b$" + hashed[4:].encode()
    bcrypt.checkpw(b"", wanted)  # raises ValueError for what is no hash
    return lambda password: bcrypt.checkpw(password[:_BCRYPT_LIMIT], wanted)


def apr1(password: bytes, salt: bytes) -> str:
    """Apache's variant of the MD5 crypt of FreeBSD, a thousand rounds of it."""

    def md5(*parts: bytes) -> bytes:
        return hashlib.md5(b"".join(parts), usedforsecurity=False).digest()

    size = len(password)
    inner = md5(password, salt, password)
    bits = [b"\0" if size >> i & 1 else password[:1] for i in range(size.bit_length())]
    digest = md5(password, b"$apr1$", salt, (inner * (size // 16 + 1))[:size], *bits)
    for i in range(1000):
        digest = md5(
            password if i & 1 else digest,
            salt if i % 3 else b"",
            password if i % 7 else b"",
            digest if i & 1 else password,
        )
    order = ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5))
    text = "".join(_encode(digest[a] << 16 | digest[b] << 8 | digest[c], 4) for a, b, c in order)
    return f"$apr1${salt.decode()}${text}{_encode(digest[11], 2)}"


def _encode(value: int, size: int) -> str:
    return "".join(_ITOA64[value >> 6 * i & 63] for i in range(size))
