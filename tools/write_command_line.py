#!/usr/bin/env python3
"""Write the pages and the man page of the command line from its parsers.

::

    python tools/write_command_line.py [--check]

``--check`` writes nothing and ends with status 1 if a file is out of date. The text before the
commands is ``tools/command_line.txt``; both forms contain it.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import sys
from collections.abc import Iterator, Sequence

from ftrack_like.cli._commands import GROUPS, command_names, parser_for
from ftrack_like.cli._parser import CommandParser

PROJECT = pathlib.Path(__file__).resolve().parents[1]
TEXT = PROJECT / "tools" / "command_line.txt"
PAGE = PROJECT / "docs" / "command_line.rst"
FOLDER = PROJECT / "docs" / "commands"
MAN = PROJECT / "docs" / "man" / "ftrack-like.1"

#: Groups of options that the text describes once.
COMMON = ("connection", "output")
NOTE = ".. Written by tools/write_command_line.py. Change the parsers or tools/command_line.txt."
WIDTH = 118


def groups() -> Iterator[tuple[str, str, list[CommandParser]]]:
    """Yield the title, the name of the page, and the commands of each group of the help."""
    names = command_names()
    parsers = parser_for(names).commands
    listed = {name for group in GROUPS.values() for name in group}
    rest = tuple(name for name in names if name not in listed)
    for title, group in [*GROUPS.items(), ("more commands", rest)]:
        found = [leaf for name in group if name in parsers for leaf in parsers[name].leaves()]
        if found:
            yield title, title.replace(" ", "_"), found


def options(parser: CommandParser) -> Iterator[tuple[str, str]]:
    """Yield the form and the help of each argument that is not described once for all."""
    common = set()
    for group in parser.option_groups:
        if group.title in COMMON:
            common |= {id(each) for each in group.actions}
    for action in parser.arguments:
        hidden = action.help in (None, argparse.SUPPRESS) or id(action) in common
        if not hidden and action.dest not in ("help", "debug") and action.choices != {}:
            yield form(action), expanded(parser, action)


def form(action: argparse.Action) -> str:
    """Return the argument as it is written, such as ``-L, --limit N``."""
    value = action.metavar or action.dest.upper()
    words = " ".join(value) if isinstance(value, tuple) else value
    if not action.option_strings:
        return words
    if action.choices is not None:
        words = "|".join(map(str, action.choices))
    names = ", ".join(action.option_strings)
    return names if action.nargs == 0 else f"{names} {words}"


def expanded(parser: CommandParser, action: argparse.Action) -> str:
    """Return the help of *action* with its default, as a sentence."""
    text = str(action.help) % {**vars(action), "prog": parser.prog}
    return sentence(text)


def sentence(text: str) -> str:
    """Return *text* with a capital letter and a full stop."""
    text = " ".join(text.split())
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def is_repeated(parser: CommandParser, others: Sequence[CommandParser]) -> bool:
    """Return whether the command above *parser*, one of *others*, has the same options."""
    above = parser.prog.rpartition(" ")[0]
    mine = list(options(parser))
    return bool(mine) and any(
        each.prog == above and {name for name, _ in mine} <= {name for name, _ in options(each)}
        for each in others
    )


# The pages


def page() -> str:
    """Return the page with the text and the list of the commands."""
    lines = [NOTE, "", "Command line", "============", "", TEXT.read_text(encoding="utf-8"), ""]
    lines += ["Commands", "--------", ""]
    for _, name, parsers in groups():
        names = dict.fromkeys(parser.prog.split()[1] for parser in parsers)
        lines.append(f":doc:`commands/{name}`")
        lines.append(f"    {', '.join(f'``{each}``' for each in names)}")
    lines += ["", ".. toctree::", "   :hidden:", ""]
    lines += [f"   commands/{name}" for _, name, _ in groups()]
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def group_page(title: str, parsers: Sequence[CommandParser]) -> str:
    """Return the page of the group *title* with all its commands."""
    heading = f"Commands: {title}"
    lines = [NOTE, "", heading, "=" * len(heading), ""]
    lines += [":doc:`../command_line` describes the options for connection and output.", ""]
    for parser in parsers:
        lines += [parser.prog, "-" * len(parser.prog), "", ".. code-block:: text", ""]
        lines += [f"   {parser.synopsis}", ""]
        lines += wrapped(escaped(str(parser.description)), "")
        if is_repeated(parser, parsers):
            above = parser.prog.rpartition(" ")[0]
            lines += ["", f"The options are those of ``{above}``.", ""]
            continue
        lines.append("")
        for name, text in options(parser):
            lines.append(f"``{name}``")
            lines += wrapped(escaped(text), "    ")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def escaped(text: str) -> str:
    """Return *text* without characters that reStructuredText would interpret."""
    return re.sub(r"([*`|\\])", r"\\\1", text)


def wrapped(text: str, indent: str) -> list[str]:
    """Return *text* in lines."""
    import textwrap

    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


# The man page


def man_page() -> str:
    """Return the man page."""
    lines = [
        '.\\" Written by tools/write_command_line.py.',
        '.TH FTRACK\\-LIKE 1 "" "ftrack\\-like"',
    ]
    lines += [".SH NAME", "ftrack\\-like \\- work with ftrack from the command line"]
    lines += [".SH SYNOPSIS", ".B ftrack\\-like", ".I COMMAND", "\\&..."]
    lines += [".SH DESCRIPTION", *roff_text(TEXT.read_text(encoding="utf-8"))]
    for title, _, parsers in groups():
        lines.append(f".SH COMMANDS: {title.upper()}")
        for parser in parsers:
            lines += [f".SS {roff(parser.synopsis)}", roff(str(parser.description))]
            if is_repeated(parser, parsers):
                lines.append(
                    f"The options are those of \\fB{roff(parser.prog.rpartition(' ')[0])}\\fR."
                )
                continue
            for name, text in options(parser):
                lines += [".TP", f"\\fB{roff(name)}\\fR", roff(text)]
    return "\n".join(lines) + "\n"


def roff(text: str) -> str:
    """Return *text* for ``man``, without requests and escapes of its own."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    text = text.replace("…", "...").replace("~", "\\(ti").replace("^", "\\(ha")
    return f"\\&{text}" if text.startswith((".", "\\(aq")) else text


def roff_text(text: str) -> Iterator[str]:
    """Yield the lines of *text*, which uses few forms of reStructuredText."""
    blocks = [block for block in text.split("\n\n") if block.strip()]
    for block in blocks:
        lines = block.strip("\n").splitlines()
        if lines[0].startswith(".. code-block"):
            continue
        if lines[0].startswith("   ") and not lines[0].startswith("    "):
            yield from (".PP", ".nf", *[roff(line) for line in lines], ".fi")
        elif len(lines) == 2 and set(lines[1]) == {"-"}:
            yield f".SH {lines[0].upper()}"
        elif len(lines) > 1 and lines[1].startswith("    "):
            for line in lines:
                if line.startswith("    "):
                    yield inline(line.strip())
                else:
                    yield from (".TP", inline(line))
        else:
            yield from (".PP", inline(" ".join(lines)))


def inline(text: str) -> str:
    """Return *text* with its literals in bold."""
    pieces = re.split(r"``(.+?)``", text)
    joined = [
        f"\\fB{roff(each)}\\fR" if index % 2 else roff(each) for index, each in enumerate(pieces)
    ]
    line = "".join(joined)
    return f"\\&{line}" if line.startswith(".") else line


def files() -> dict[pathlib.Path, str]:
    """Return the text of each file."""
    found = {PAGE: page(), MAN: man_page()}
    for title, name, parsers in groups():
        found[FOLDER / f"{name}.rst"] = group_page(title, parsers)
    return found


def main(arguments: Sequence[str]) -> int:
    """Write or check the files; return the exit status."""
    wanted = files()
    stale = {path for path in FOLDER.glob("*.rst") if path not in wanted}
    for path, text in wanted.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.add(path)
    if "--check" in arguments:
        for path in sorted(stale):
            print(f"{path.relative_to(PROJECT)} is out of date. Run tools/write_command_line.py.")
        return 1 if stale else 0
    for path in stale:
        if path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path], encoding="utf-8")
        else:
            path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
