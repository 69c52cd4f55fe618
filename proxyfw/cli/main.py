"""The command ``proxyfw``: without a subcommand it runs the proxy and prints the traffic."""

from __future__ import annotations

import gc

import click

from . import addons, cert, commands, hooks, hosted, options, rules, terminal
from .exec import Exec
from .program import Program
from .settings import Settings


@click.group(
    cls=Program,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Without a command the proxy runs until Ctrl-C. FILTER says which flows are printed, as in "
    "'~m POST & ~c 5xx'.",
)
@click.option("-s", "--script", "scripts", multiple=True, metavar="PATH", help="Run a script. Repeatable.")
@click.option("-p", "--listen-port", type=int, metavar="PORT", help="Default 8080.")
@click.option("--listen-host", metavar="ADDRESS", help="Default 127.0.0.1; empty: all addresses.")
@click.option("-m", "--mode", "modes", multiple=True, metavar="MODE", help="Default regular. Repeatable.")
@click.option("--workers", type=int, metavar="N", help="Processes that share the port. Default 1.")
@click.option("--set", "specs", multiple=True, metavar="NAME[=VALUE]", help="Set any option. Repeatable.")
@click.option("-q", "--quiet", is_flag=True, help="Print no flows; log warnings and errors only.")
@click.option("-v", "--verbose", is_flag=True, help="Log for debugging.")
@click.option("-n", "--no-server", is_flag=True, help="Do not listen.")
@click.option("-k", "--ssl-insecure", is_flag=True, help="Do not verify the certificates of servers.")
@click.option("--confdir", metavar="PATH", help="Directory of the CA. Default ~/.proxyfw.")
@click.option("--addon", "addons", multiple=True, metavar="[no:]NAME", help="Load, or leave out, an addon.")
@click.option(
    "--flow-detail",
    type=int,
    metavar="0-4",
    help="Print of each flow: 0 nothing, 1 a line (default), 2 headers too, 3 bodies too, 4 whole bodies.",
)
@click.version_option(package_name="proxyfw", message="%(prog)s %(version)s")
@click.pass_context
def program(context: click.Context, /, **given: object) -> int | None:
    """Show HTTP and HTTPS traffic, and change it with scripts."""
    context.obj = settings = Settings(**given)  # type: ignore[arg-type]  # click has checked them
    if context.invoked_subcommand:
        return None
    from .run import run

    return run(settings)


program.add_command(cert.cert)
program.add_command(addons.addons)
program.add_command(hooks.hooks)
program.add_command(options.options)
program.add_command(commands.commands)
program.add_command(rules.rules)
program.add_command(hosted.run)
program.add_command(Exec(program.params))


def main() -> None:
    """The console script."""
    gc.disable()  # what is imported from now on will never be garbage; `run` enables it
    terminal.prepare()
    program(prog_name="proxyfw")
