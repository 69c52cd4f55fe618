"""``proxyfw cert``: the certificate of the authority, for people and programs that are to trust it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .settings import Settings

if TYPE_CHECKING:
    from proxyfw.certs import Cert, CertStore

_BINARY = ("der", "p12")
confdir_option = click.option("--confdir", metavar="PATH", help="Directory of the CA. Default ~/.proxyfw.")


@click.group(invoke_without_command=True, short_help="Show or export the CA certificate.")
@confdir_option
@click.pass_context
def cert(context: click.Context, confdir: str | None) -> None:
    """Show the CA certificate that clients have to trust; it is made if there is none.

    Without a command: info.
    """
    context.obj = (context.obj or Settings(), confdir)
    if not context.invoked_subcommand:
        _info(context.obj, None)


@cert.command()
@confdir_option
@click.pass_obj
def path(given: Any, confdir: str | None) -> None:
    """Print where the certificate is."""
    click.echo(_open(given, confdir)[1])


@cert.command()
@confdir_option
@click.pass_obj
def info(given: Any, confdir: str | None) -> None:
    """Print what the certificate says."""
    _info(given, confdir)


@cert.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["pem", "cer", "der", "p12"]),
    help="Default: as FILE ends, else pem.",
)
@click.option("-o", "--output", metavar="FILE", default="-", help="- is standard output, and the default.")
@confdir_option
@click.pass_obj
def export(given: Any, confdir: str | None, form: str | None, output: str) -> None:
    """Write the certificate, never its key, in the form that a client wants."""
    suffix = Path(output).suffix[1:]
    form = form or (suffix if suffix in ("cer", *_BINARY) else "pem")
    if output == "-" and form in _BINARY and is_terminal():
        raise click.UsageError(f"{form} is binary, not for a terminal: write -o FILE")
    data = _open(given, confdir)[0].export(form)
    try:
        with click.open_file(output, "wb") as file:
            file.write(data)
    except OSError as problem:
        raise click.FileError(output, problem.strerror) from problem


def is_terminal() -> bool:
    """Whether standard output is looked at."""
    return sys.stdout.isatty()


def _open(given: tuple[Settings, str | None], confdir: str | None) -> tuple[CertStore, Path]:
    """The authority, made if need be, and the file of its certificate."""
    from proxyfw.certs import CertStore
    from proxyfw.core import settings as core_settings

    settings, outer = given
    options = replace(settings, confdir=confdir or outer or settings.confdir).options()
    core_settings.declare(options)
    directory = Path(options.confdir).expanduser()
    store = CertStore.from_confdir(directory, passphrase=options.cert_passphrase)
    return store, directory.absolute() / "proxyfw-ca-cert.pem"


def _info(given: Any, confdir: str | None) -> None:
    store, path = _open(given, confdir)
    for name, value in _facts(store.ca.cert, path):
        click.echo(f"{name:13}{value}")


def _facts(cert: Cert, path: Path) -> list[tuple[str, str]]:
    kind, bits = cert.keyinfo
    return [
        ("file", str(path)),
        ("subject", ", ".join(f"{name}={value}" for name, value in cert.subject)),
        ("issuer", ", ".join(f"{name}={value}" for name, value in cert.issuer)),
        ("valid", f"{cert.notbefore:%Y-%m-%d} to {cert.notafter:%Y-%m-%d}"),
        ("key", f"{kind}, {bits} bits"),
        ("SHA-256", cert.fingerprint_text()),
        ("SPKI SHA-256", cert.spki_fingerprint()),
    ]
