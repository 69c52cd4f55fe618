"""View ``dns``: queries and answers as dig shows them."""

from __future__ import annotations

from collections.abc import Iterator

from proxyfw.contentviews import Metadata
from proxyfw.dns import DNSMessage, classes, op_codes, response_codes, types


def prettify(data: bytes, metadata: Metadata) -> str:
    """A line for each question and record. Raises ValueError if it is no DNS message."""
    if metadata.dns_message is not None:
        return "\n".join(_lines(metadata.dns_message))
    import dns.exception
    import dns.message

    try:
        return str(dns.message.from_wire(data, ignore_trailing=True).to_text())
    except dns.exception.DNSException as problem:
        raise ValueError(f"no DNS message: {problem}") from problem


def _lines(message: DNSMessage) -> Iterator[str]:
    flags = {
        "QR": not message.query, "AA": message.authoritative_answer, "TC": message.truncation,
        "RD": message.recursion_desired, "RA": message.recursion_available,
    }  # fmt: skip
    yield f"id {message.id}"
    yield f"opcode {op_codes.to_str(message.op_code)}"
    yield f"rcode {response_codes.to_str(message.response_code)}"
    yield f"flags {' '.join(name for name, is_set in flags.items() if is_set)}".rstrip()
    yield ";QUESTION"
    for question in message.questions:
        yield f"{question.name} {classes.to_str(question.class_)} {types.to_str(question.type)}"
    for title, records in (
        ("ANSWER", message.answers), ("AUTHORITY", message.authorities), ("ADDITIONAL", message.additionals)
    ):  # fmt: skip
        yield f";{title}"
        for record in records:
            kind = f"{classes.to_str(record.class_)} {types.to_str(record.type)}"
            yield f"{record.name} {record.ttl} {kind} {record}"
