"""Knows how settings are written as a file that explains itself. Must not know single ones."""

from __future__ import annotations

import textwrap

import msgspec

from actorchat.settings.loader import env_name
from actorchat.settings.schema import Settings, sections, table
from actorchat.settings.section import Section


def render_toml(
    settings: Section | None = None, *, commented: bool = True, what: str = "a standalone node"
) -> str:
    """Return `settings`, the defaults unless given, as a file that `load` reads back.

    With `commented` each section and setting is explained.
    """
    settings = settings or Settings()
    values = msgspec.to_builtins(settings)
    classes = dict(sections(type(settings)))
    comment = textwrap.TextWrapper(98, initial_indent="# ", subsequent_indent="# ")
    lines: list[str] = []
    if commented:
        lines += [
            f"# Every setting of {what}. Each can be overridden in the environment,",
            f"# as in {env_name('log.level')}=debug, and there by a flag of the command line.",
        ]
    open_section = None
    for key, setting in table(type(settings)).items():
        section, _, name = key.rpartition(".")
        if section != open_section:
            open_section = section
            lines += [""] if lines else []
            if commented:
                lines += comment.wrap(classes[section].__doc__ or "")
            lines.append(f"[{section}]")
        value = values
        for part in key.split("."):
            value = value[part]
        if commented:
            lines += ["", *comment.wrap(setting.description)]
        # A JSON scalar is a TOML scalar, escapes included, but that TOML wants DEL escaped too.
        scalar = msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
        lines.append(f"{name} = {scalar}")
    return "\n".join(lines) + "\n"
