"""A program in Rust with reqwest (feature ``blocking``), which writes names in lower case."""

from __future__ import annotations

from .bytewise import quoted
from .sent import Sent

_PROGRAM = """\
use reqwest::{blocking::Client, redirect::Policy, Method};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::builder().redirect(Policy::none()).build()?;
    let response = client
        .request(Method::from_bytes(b%s)?, %s)
%s        .send()?;
    println!("{} {:?}", response.status(), response.headers());
    println!("{}", response.text()?);
    Ok(())
}
"""


def snippet(sent: Sent) -> str:
    """The program."""
    calls = [
        f"        .header({quoted(name.encode())}, &b{quoted(value)}[..])\n"
        for name, value in sent.all_fields
    ]
    if sent.body is not None:
        calls.append(f"        .body(b{quoted(sent.body)}.to_vec())\n")
    return _PROGRAM % (quoted(sent.method.encode()), quoted(sent.url.encode()), "".join(calls))
