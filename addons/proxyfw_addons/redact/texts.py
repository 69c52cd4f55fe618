"""Finds secrets in text by what they look like: credentials, keys, card numbers. Knows no flows."""

from __future__ import annotations

import re

from .kinds import Mark

_CREDENTIALS = re.compile(r"\b(bearer|basic|token|digest|negotiate)(\s+)([\w.~+/=-]{8,})", re.IGNORECASE)
_TOKENS = re.compile(
    r"\beyJ[\w-]{5,}\.[\w-]+\.[\w-]*"  # JWT
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{20,}"
    r"|\bxox[abeprs]-[\w-]{10,}"
    r"|\b[rs]k_(?:live|test)_\w{10,}|\bsk-[\w-]{20,}"
    r"|\bAIza[\w-]{35}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.DOTALL | re.ASCII,
)
_STARTS = (
    "eyJ", "AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_", "glpat-", "xox", "k_live_",
    "k_test_", "sk-", "AIza", "-----BEGIN ",
)  # fmt: skip
"""What a text has in it that has one of the tokens: it is looked for much faster than those."""
_CARD = re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.]\d|\d)", re.ASCII)
_LOGIN = re.compile(r"(://[^\s/:@?#]*:)([^\s/@?#]+)@")
_MORE_THAN_A_WORD = re.compile(r"[^A-Za-z]")


def without_tokens(text: str, mark: Mark) -> str:
    """*text* without credentials and keys."""
    if "@" in text:
        text = _LOGIN.sub(lambda found: f"{found[1]}{mark(found[2])}@", text)
    text = _CREDENTIALS.sub(lambda found: _credentials(found, mark), text)
    if not any(start in text for start in _STARTS):
        return text
    return _TOKENS.sub(lambda found: mark(found[0]), text)


def _credentials(found: re.Match[str], mark: Mark) -> str:
    if not _MORE_THAN_A_WORD.search(found[3]) and len(found[3]) < 20:
        return found[0]  # "basic knowledge", "a token bearer authenticates"
    return f"{found[1]}{found[2]}{mark(found[3])}"


def without_cards(text: str, mark: Mark) -> str:
    """*text* without numbers of payment cards."""
    return _CARD.sub(lambda found: mark(found[0]) if is_card(found[0]) else found[0], text)


def is_card(number: str) -> bool:
    """Whether *number*, with spaces or hyphens or without, is one of a payment card, check digit included."""
    digits = number.replace(" ", "").replace("-", "")
    return _has_issuer(digits) and _luhn(digits)


def _has_issuer(digits: str) -> bool:
    """Whether length and first digits are those of a large issuer. ISO/IEC 7812."""
    size, two, three, four = len(digits), digits[:2], digits[:3], digits[:4]
    if digits[0] == "4":
        return size in (13, 16, 19)
    if two in ("34", "37"):
        return size == 15
    if two in ("36", "38", "39") or "300" <= three <= "305":
        return size in (14, 16)
    if two == "62":
        return size >= 16
    others = "51" <= two <= "55" or "2221" <= four <= "2720" or "3528" <= four <= "3589"
    return size == 16 and (others or four == "6011" or two == "65" or "644" <= three <= "649")


def _luhn(digits: str) -> bool:
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0
