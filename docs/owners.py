"""Makes the table of what dormant addons have, which spares the start from loading them."""

from __future__ import annotations

from pathlib import Path

from proxyfw import hookspecs
from proxyfw.addon.dormant import ACTION, COMMAND, FLAG, OPTION
from proxyfw.addonmanager import AddonManager
from proxyfw.proxy import DEFAULT_ADDONS, Proxy

FILE = Path(__file__).parents[1] / "proxyfw" / "addon" / "owners.py"
_LIFE = {"load", "configure", "running", "done"}
_ALWAYS = {"contentviews"}
"""Have something that is not asked for by name."""
_HEAD = '''"""Whose options, flags, actions and commands are, of built-in addons. Made by docs/generate.py."""

from __future__ import annotations

OWNERS: dict[str, dict[str, str]] = {
'''


def text() -> str:
    """What the file is to be."""
    table = owners()
    lines = [_HEAD]
    for kind, names in table.items():
        lines.append(f'    "{kind}": {{\n')
        lines += [f'        "{name}": "{owner}",\n' for name, owner in sorted(names.items())]
        lines.append("    },\n")
    return "".join([*lines, "}\n"])


def owners() -> dict[str, dict[str, str]]:
    """Whose is what, of the default addons that do nothing before they are asked."""
    proxy = Proxy({"confdir": "none"})
    addons, options = proxy.addons, proxy.options
    addons.dormant.wake_all()
    dormant = set(DEFAULT_ADDONS) - _ALWAYS - busy(addons)
    declared = [options.option(name) for name in options]
    found: dict[str, dict[str, str]] = {OPTION: {}, FLAG: {}, ACTION: {}, COMMAND: {}}
    for option in declared:
        if option.source in dormant:
            found[OPTION][option.name] = str(option.source)
            found[FLAG] |= dict.fromkeys(option.flags, str(option.source))
    found[ACTION] = {name: owner for name, owner in addons.rules.owners.items() if owner in dormant}
    found[COMMAND] = {
        name: command.source for name, command in proxy.commands.commands.items() if command.source in dormant
    }
    return found


def busy(addons: AddonManager) -> set[str]:
    """The addons that have hooks as they are."""
    return {
        name.partition(":")[0]
        for hook, function in hookspecs.HOOKS.items()
        if hook not in _LIFE
        for name in addons.order(function)
    }
