"""Writes the pages under ``docs/reference`` that are made from the source: ``python docs/generate.py``.

With ``--check`` it writes nothing and fails if a page is not what it would write.
"""

from __future__ import annotations

import inspect
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import import_module
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import owners
from rules_pages import actions_page, schema_text

from proxyfw import Proxy, connection, contentviews, exceptions, flow, flowfilter, http, tls
from proxyfw.addonmanager import installed
from proxyfw.cli.flags import of_options
from proxyfw.cli.main import program
from proxyfw.config import PREFIX
from proxyfw.hookspecs import GROUPS, HAND_OVER, HOOKS
from proxyfw.options import Option, format_size
from proxyfw.proxy import DEFAULT_ADDONS
from proxyfw_addons.contentviews.table import VIEWS

PAGES = Path(__file__).parent / "reference"
MADE = "<!-- Made by docs/generate.py: change the docstrings in the source, then run it. -->\n\n"

MODEL: dict[str, list[tuple[ModuleType, str]]] = {
    "Flows": [(http, "HTTPFlow"), (flow, "Flow"), (flow, "Error")],
    "HTTP": [(http, "Request"), (http, "Response"), (http, "Message"), (http, "Headers")],
    "Connections": [(connection, "Connection"), (connection, "Client"), (connection, "Server")],
    "TLS": [(tls, "ClientHelloData"), (tls, "ClientHello"), (tls, "TlsData")],
}
"""The classes of the page about the model, by where an addon finds them."""

NAMES = """\
# Names of mitmproxy

What `import mitmproxy` finds. What behaves differently is said in
[Coming from mitmproxy](../howto/coming-from-mitmproxy.md).

- In scripts, helper modules beside them and what those import, `import mitmproxy` means these modules,
  wherever it stands, and so does `importlib.import_module`; an installed mitmproxy is not touched.
- In programs and tests, `from proxyfw import as_mitmproxy; as_mitmproxy()` does so for the whole process,
  and `proxyfw run PROGRAM` does so for a program as it stands.
- For that, scripts have a copy of the builtins: what others put into `builtins` later is not seen by them.
- Classes are the same: `mitmproxy.http.HTTPFlow is proxyfw.http.HTTPFlow`.
- A name that is missing raises `ImportError` at once, with what to use instead.
- `mitmproxy.version.VERSION` is the version whose API is honoured; files of flows are of its format.
- `nextlayer.layer = layers.TCPLayer(…)` means `nextlayer.layer = "tcp"`: the classes have no code.
- `flow.client_conn.proxy_mode` is text with `full_spec` and `type_name`; `isinstance(it,
  mode_specs.ReverseMode)` and the like hold.
- `addons.add` takes several addons, as there, or an addon and its name.
"""
"""What is different, on the page of names."""

COMING = "../howto/coming-from-mitmproxy.md"

EXAMPLES = Path(__file__).parent.parent / "examples"
COOKBOOK = {
    "Look": ["log_json_bodies", "graphql_log", "request_log", "count_hosts", "count_retries", "save_images",
             "explain_failures"],
    "Change requests": ["redirect_host", "staging_address", "choose_upstream", "strip_tracking",
                        "inject_token", "basic_auth", "sign_requests"],
    "Change answers": ["add_header", "cors_headers", "rewrite_json", "rewrite_html", "anonymise_cookies",
                       "stream_uppercase"],
    "Answer, block, let through": ["mock_api", "block_ads", "kill_trackers", "pass_through_banks"],
    "Try what goes wrong": ["fail_sometimes", "slow_down", "limit_rate", "compare_backends"],
    "Not only requests": ["websocket_edit", "edit_events", "replace_in_tcp", "answer_dns"],
    "Build on it": ["options_and_commands", "embed_in_asyncio"],
}  # fmt: skip
"""The examples by what somebody wants to do."""

CALLS = (r"\bhookspecs\.(\w+)", r'\bimplementations\([^)]*"(\w+)"\)')
"""How the source calls a hook."""


def main() -> int:
    stale = {name: text for name, text in pages().items() if read(PAGES / name) != text}
    if "--check" in sys.argv:
        for name in stale:
            print(f"docs/reference/{name} is not up to date: run python docs/generate.py")
        return bool(stale)
    for name, text in stale.items():
        (PAGES / name).write_text(text, encoding="utf-8")
        print(f"wrote docs/reference/{name}")
    return 0


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def pages() -> dict[str, str]:
    """The generated pages by file name."""
    makers: dict[str, Callable[[], Iterator[str]]] = {
        "actions.md": actions_page,
        "cli.md": cli_page,
        "commands.md": commands_page,
        "exceptions.md": exceptions_page,
        "filters.md": filters_page,
        "hooks.md": hooks_page,
        "mitmproxy-names.md": names_page,
        "model.md": model_page,
        "options.md": options_page,
        "views.md": views_page,
        "../cookbook.md": cookbook_page,
    }
    made = {name: MADE + "\n".join(make()) + "\n" for name, make in makers.items()}
    table = {f"../../{owners.FILE.relative_to(PAGES.parents[1])}": owners.text()}
    return made | table | {COMING: coming_page(), "rules.schema.json": schema_text()}


# Hooks


def hooks_page() -> Iterator[str]:
    yield "# Hooks\n"
    yield (
        "An addon takes part in the traffic through functions or methods of these names, plain or `async`. "
        "What they call their argument does not matter. "
        "[Loading and order](loading.md) says who is called when.\n"
    )
    for group in dict.fromkeys(GROUPS.values()):
        yield f"## {group[0].upper()}{group[1:]}\n"
        for name in (name for name in HOOKS if GROUPS[name] == group):
            yield from hook_section(name, HOOKS[name])
    yield "## Around a reload\n"
    yield (
        "Not hooks, but how an addon [hands its state](loading.md#state-across-a-reload) to its next "
        "version. Functions of these names that take other arguments are the addon's own.\n"
    )
    for name, function in HAND_OVER.items():
        yield from hook_section(name, function)


def hook_section(name: str, hook: Callable[..., object]) -> Iterator[str]:
    yield f"### {name}\n"
    signature = inspect.signature(hook)
    arguments = ", ".join(f"{p.name}: {p.annotation}" for p in signature.parameters.values())
    yield f"```python\ndef {name}({arguments}) -> {signature.return_annotation}\n```\n"
    if name in HOOKS and name not in called():
        yield "*Not called yet: it is declared so that addons can have it.*\n"
    yield text_of(hook) + "\n"


@cache
def called() -> frozenset[str]:
    """The hooks that the source calls; others are declared so that addons can have them already."""
    found = set()
    root = Path(__file__).parent.parent
    for path in chain((root / "proxyfw").rglob("*.py"), (root / "addons").rglob("*.py")):
        if path.name not in ("hookspecs.py", "testing.py"):
            text = path.read_text(encoding="utf-8")
            found |= {name for call in CALLS for name in re.findall(call, text)}
    return frozenset(found & HOOKS.keys())


# Options


def options_page() -> Iterator[str]:
    options = awake().options
    declared = [options.option(name) for name in options]
    yield "# Options\n"
    yield (
        "Set them in `config.yaml`, in the environment, with `--set NAME=VALUE` or with the flag where there "
        "is one ([who wins](../howto/configure.md)), with `Proxy(NAME=VALUE)`, or from an addon with "
        "`ctx.options.NAME = VALUE`. A wrong value changes nothing and says what is wrong. A *size* is a "
        "number of bytes, or `64k`, `5m`, `1g`; a *duration* is a number of seconds, or `200ms`, `1.5s`, "
        "`2m`, `1h`; *mappings* and *data* are JSON or YAML.\n"
    )
    for source in dict.fromkeys(option.source for option in declared):
        yield "## The proxy\n" if source == "proxyfw" else f"## Addon {source}\n"
        yield "| Option | Type | Default | Flag, variable | |\n|---|---|---|---|---|"
        yield from (row(option) for option in declared if option.source == source)
        yield ""


def row(option: Option) -> str:
    plain = option.kind.plain(option.check(option.default))
    default = "" if plain in (None, [], {}, "") else f"`{shown(plain)}`"
    kind = str(option.kind).replace(" or None", ", may be unset")
    choices = "" if option.choices is None else f" One of {', '.join(f'`{c}`' for c in option.choices)}."
    flags = of_options(program.params).get(option.name, option.flags)
    ways = "<br>".join(f"`{way}`" for way in (*flags, PREFIX + option.name.upper()))
    return f"| `{option.name}` | {kind} | {default} | {ways} | {cell(option.help + choices)} |"


def shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return " ".join(value) if isinstance(value, list | tuple) else str(value)


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


# Commands


def commands_page() -> Iterator[str]:
    known = awake().commands.commands.values()
    yield "# Commands\n"
    yield (
        "What addons can be asked to do. [Call commands](../howto/commands.md) says how, and how arguments "
        "are written; `proxyfw commands` lists those of your scripts too.\n"
    )
    for source in sorted({command.source for command in known}):
        yield f"## Addon {source}\n"
        if source not in DEFAULT_ADDONS:
            yield f"On request: `--addon {source}`.\n"
        for command in sorted(known, key=lambda command: command.name):
            if command.source == source:
                yield f"### {command.name}\n\n```text\n{command}\n```\n\n{text_of(command.function)}\n"


# Filters


def filters_page() -> Iterator[str]:
    yield "# Filters\n"
    yield (
        "What the operators of the filter language mean. "
        "[Choose flows with filters](../howto/filters.md) says how they are combined and quoted, "
        "and how addons use them.\n"
    )
    yield "## Operators\n"
    yield "| Operator | Flows that it means, or what it looks at |\n|---|---|"
    yield from (f"| `{operator}` | {cell(operator.description)} |" for operator in flowfilter.OPERATORS)
    yield "\n## Arguments\n"
    yield from (f"**{name}**: {about}\n" for name, about in flowfilter.ARGUMENTS.items())


# The cookbook


def cookbook_page() -> Iterator[str]:
    yield "# Cookbook\n"
    yield (
        "Scripts for what people really do: each is a file in `examples/`, runs as it stands, and is tested "
        "with real traffic. Copy one, and change what differs in your case; "
        "[the tutorial](tutorial.md) explains the words, [hooks](reference/hooks.md) lists the moments.\n"
    )
    for title, names in COOKBOOK.items():
        yield f"## {title}\n"
        for name in names:
            yield from recipe(name)
    if missing := {path.stem for path in EXAMPLES.glob("*.py")} - set(chain(*COOKBOOK.values())):
        raise ValueError(f"not in the cookbook: {', '.join(sorted(missing))}")


def recipe(name: str) -> Iterator[str]:
    """The section of one example, out of its docstring and its code."""
    source = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    about, _, usage = inspect.cleandoc(source.split('"""', 2)[1]).partition("\n\n")
    yield f"### {name}.py\n"
    yield f"{' '.join(about.split())}\n"
    yield f"```text\n{usage}\n```\n"
    yield f"```python\n{source.split(chr(34) * 3, 2)[2].strip()}\n```\n"


# Coming from mitmproxy: tables between marks, in a page that is otherwise written by hand


def coming_page() -> str:
    text = read(PAGES / COMING)
    names = tomllib.loads(read(PAGES.parent / "mitmproxy.toml"))
    proxy = awake()
    options, remarks = proxy.options, names["remarks"]
    ours = {name: place_of_option(options.option(name)) + remark(remarks, name) for name in options}
    commands = dict.fromkeys(proxy.commands.commands, "same")
    flags = dict.fromkeys(chain(("--help", "FILTER"), *(p.opts for p in program.params)), "same")
    declared = [options.option(name) for name in options]
    flags |= {flag: place_of_option(option) for option in declared for flag in option.flags}
    tables = {
        "options": table("Option", names["options"], ours),
        "commands": table("Command", names["commands"], commands),
        "flags": table("mitmdump", names["flags"], flags),
        "hooks": hooks_of_the_field(names["hooks"]),
    }
    for name, lines in tables.items():
        start, end = f"<!-- made: {name} -->\n", "<!-- end -->"
        before, _, rest = text.partition(start)
        text = before + start + "\n".join(lines) + "\n" + end + rest.partition(end)[2]
    return text


def names_page() -> Iterator[str]:
    alias = import_module("proxyfw.alias")
    folder = Path(alias.__file__ or "").parent
    own = {".".join(file.relative_to(folder).with_suffix("").parts) for file in folder.rglob("*.py")}
    inside = {"", "gone", "leftovers", "addons.accepted", "addons.present"}
    own = {name.removesuffix("__init__").rstrip(".") for name in own} - inside
    yield NAMES
    yield "## Modules\n\n| `mitmproxy.` | Is | Names |\n|---|---|---|"
    for name in sorted(own | alias.SAME.keys()):
        module = alias.module_named(f"mitmproxy.{name}")
        what = f"`{alias.SAME[name]}`" if name in alias.SAME else "of its own"
        what = "a part of the proxy that is there already" if "present" in what else what
        what = what.replace("proxyfw.alias.", "mitmproxy.")
        names = "" if name in alias.SAME else listed(names_in(module))
        yield f"| `{name}` | {what} | {names.replace('none', '')} |"
    yield "\n## Not there\n\n| `mitmproxy.` | Instead |\n|---|---|"
    yield from (f"| `{name}` | {cell(instead)} |" for name, instead in sorted(alias.INSTEAD.items()))
    yield "\n## Options that change nothing\n\n| | Why |\n|---|---|"
    leftovers: dict[str, tuple[Any, Any, str]] = import_module("proxyfw.alias.leftovers").LEFTOVERS
    have = awake().options
    yield from (f"| `{name}` | {cell(why)} |" for name, (_, _, why) in leftovers.items() if name not in have)


def names_in(module: ModuleType) -> list[str]:
    """What a script may import from *module*."""
    return sorted(
        getattr(module, "__all__", None)
        or {
            name
            for name, thing in vars(module).items()
            if not name.startswith("_")
            and (inspect.isclass(thing) or inspect.isroutine(thing) or name.isupper())
            and getattr(thing, "__module__", module.__name__) == module.__name__
        },
        key=str.lower,
    )


def awake() -> Proxy:
    """A proxy with all our addons loaded."""
    proxy = Proxy(default_addons=our_addons())
    proxy.addons.dormant.wake_all()
    return proxy


def our_addons() -> list[str]:
    return [name for name, entry in installed().items() if entry.dist and entry.dist.name == "proxyfw"]


def place_of_option(option: Option) -> str:
    asked = option.source not in ("proxyfw", *DEFAULT_ADDONS, "dumper", "scriptloader")
    return f"same, with `--addon {option.source}`" if asked else "same"


def remark(remarks: dict[str, str], name: str) -> str:
    return f"; {remarks[name]}" if name in remarks else ""


def table(title: str, names: dict[str, str], ours: dict[str, str]) -> Iterator[str]:
    """Each name of the field with ours, or what takes its place; ValueError if nobody has said that."""
    yield f"| {title} | Here |\n|---|---|"
    for name, instead in sorted(names.items(), key=lambda item: item[0].lstrip("-").lower()):
        if name not in ours and not instead:
            raise ValueError(f"docs/mitmproxy.toml: say what takes the place of {name}")
        yield f"| `{name}` | {cell(ours.get(name, instead))} |"


def hooks_of_the_field(names: list[str]) -> Iterator[str]:
    ours = [name for name in HOOKS if name not in names]
    silent = [name for name in names if name not in called()]
    yield (
        f"All {len(names)} hooks have their names and their argument. Not called yet: {listed(silent)}. "
        f"Ours in addition: {listed(ours)}. Any hook may be `async` but `load` and `configure`."
    )


def listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


# The command line


def cli_page() -> Iterator[str]:
    yield "# Command line\n"
    for words in commands(program, ["proxyfw"]):
        yield f"## {' '.join(words)}\n"
        yield f"```text\n{help_of(words)}\n```\n"


def commands(command: click.Command, words: list[str]) -> Iterator[list[str]]:
    yield words
    if isinstance(command, click.Group):
        for name in sorted(command.commands):
            yield from commands(command.commands[name], [*words, name])


def help_of(words: list[str]) -> str:
    context: click.Context | None = None
    command: click.Command = program
    for word in words:
        if isinstance(command, click.Group) and context is not None:
            command = command.commands[word]
        context = click.Context(
            command, parent=context, info_name=word, terminal_width=90, max_content_width=90,
            help_option_names=["-h", "--help"],
        )  # fmt: skip
    assert context
    return command.get_help(context)


# Content views


def views_page() -> Iterator[str]:
    yield "# Content views\n"
    yield (
        "How bodies and messages are laid out at `--flow-detail 3` and 4, and for front ends. "
        "[Show bodies your way](../howto/content-views.md) says how to add one.\n"
    )
    yield "| View | | At most | Coloured as |\n|---|---|---|---|"
    yield "| `auto` | The one that suits the data best. | | |"
    yield "| `raw` | The data as text; what is no text, escaped. | 16m | |"
    for view in VIEWS:
        limit = format_size(int(view.limit))
        syntax = "" if view.syntax_highlight == "none" else view.syntax_highlight
        yield f"| `{view.name}` | {cell(view.about)} | {limit} | {syntax} |"
    yield "\n## In code\n"
    for name in ("Contentview", "Metadata", "ContentviewResult", "ContentviewRegistry", "View"):
        kind = getattr(contentviews, name)
        yield f"### contentviews.{name}\n\n{text_of(kind)}\n"
        yield from (f"- **`{member}`** {about}" for member, about in members(kind).items())
        yield ""


# Exceptions and the model


def exceptions_page() -> Iterator[str]:
    yield "# Exceptions\n"
    tree = inspect.getdoc(exceptions) or ""
    yield tree.partition("\n\n")[0] + "\n"
    yield "```text\n" + tree.partition("\n\n")[2].strip() + "\n```\n"
    yield "All are in `proxyfw.exceptions`; those above `ConnectionProblem` are in `proxyfw` too.\n"
    for kind in vars(exceptions).values():
        if inspect.isclass(kind):
            yield f"## {kind.__name__}\n\n{text_of(kind)}\n"


def model_page() -> Iterator[str]:
    yield "# Flows and what they hold\n"
    yield "What hooks are given. Names and meanings are those that the field knows from mitmproxy.\n"
    for title, places in MODEL.items():
        yield f"## {title}\n"
        for module, name in places:
            kind = getattr(module, name)
            yield f"### {module.__name__}.{name}\n\n{text_of(kind)}\n"
            yield from (f"- **`{member}`** {about}" for member, about in members(kind).items())
            yield ""


def members(kind: type) -> dict[str, str]:
    """Public members that *kind* itself has, with what their docstrings say first."""
    found: dict[str, tuple[str, str]] = {}
    for owner in own_bases(kind):
        for name, member in vars(owner).items():
            target = getattr(member, "fget", None) or getattr(member, "__func__", member)
            if name.startswith("_") or not (isinstance(member, property) or inspect.isroutine(target)):
                continue
            arguments = "" if isinstance(member, property) else signature_of(target)
            found.setdefault(name, (name + arguments, text_of(target).partition("\n\n")[0]))
    return dict(found.values())


def own_bases(kind: type) -> Iterable[type]:
    """*kind* and its bases that have no section of their own."""
    documented = {getattr(module, name) for places in MODEL.values() for module, name in places} - {kind}
    return (base for base in kind.__mro__ if base.__module__.startswith("proxyfw") and base not in documented)


def signature_of(function: Callable[..., Any]) -> str:
    parameters = inspect.signature(function).parameters
    return f"({', '.join(name for name in parameters if name not in ('self', 'cls'))})"


def text_of(thing: Any) -> str:
    """The docstring of *thing* as Markdown."""
    return re.sub(r"``(.+?)``", r"`\1`", inspect.getdoc(thing) or "").strip()


if __name__ == "__main__":
    sys.exit(main())
