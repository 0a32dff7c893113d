"""The parser of the command line: errors in one line, with suggestions."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from typing import NamedTuple, NoReturn, Optional

from ftrack_like.cli._arguments import word_among_files
from ftrack_like.cli._text import printable

__all__ = ["CommandParser", "OptionGroup"]


class OptionGroup(NamedTuple):
    """A group of arguments in the help."""

    title: str
    actions: list[argparse.Action]


#: Names of options in other programs, and the names here.
_OTHER_OPTIONS = {
    "fields": "columns",
    "date": "start",
    "format": "output",
    "id": "columns",
    "ids": "columns",
    "ids-only": "columns",
    "l": "limit",
    "max-items": "limit",
    "n": "limit",
    "top": "limit",
}

#: Names of options in other programs for what is a part of an expression here, and an example.
_IN_EXPRESSIONS = {
    "filter": "Task where name is comp",
    "order": "Task order by name",
    "order-by": "Task order by name",
    "sort": "Task order by name",
    "sort-by": "Task order by name",
    "type": "Task where name is comp",
    "where": "Task where name is comp",
}

#: Names of commands in other programs, and the names here.
_OTHER_COMMANDS = {
    "follow": "tail",
    "link": "guests",
    "links": "guests",
    "listen": "tail",
    "ls": "list",
    "new": "create",
    "people": "guests",
    "show": "report",
    "watch": "tail",
}

#: Names of required options in other commands, and the names here.
_OTHER_REQUIRED = {"to": "version", "version": "to"}


#: The sub-commands that people mean when they leave the name out.
_USUAL_COMMANDS = {
    "action": "run",
    "dead": "list",
    "events": "tail",
    "log": "time",
    "migrate": "check",
    "review": "report",
    "schema": "show",
}

#: The beginning of the message of argparse for missing arguments.
_MISSING = "the following arguments are required:"

#: The advice when the shell has split an expression into words, and an example.
_QUOTING = (
    " Put the expression in single quotes, and texts of several words in it in double quotes."
)
_QUOTED_QUERY = "Write: 'Task where status.name is \"In progress\"'."

#: What a name of a command consists of.
_COMMAND_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz-")


class CommandParser(argparse.ArgumentParser):
    """A parser that names mistakes in one line and suggests the nearest command or option.

    Options cannot be abbreviated, so that a new option never changes the meaning of a script.
    """

    def __init__(
        self,
        prog: Optional[str] = None,
        *,
        description: Optional[str] = None,
        epilog: Optional[str] = None,
        formatter_class: type[argparse.HelpFormatter] = argparse.HelpFormatter,
        add_help: bool = True,
    ) -> None:
        """Initialise; the parameters are those of :class:`argparse.ArgumentParser`."""
        super().__init__(
            prog,
            description=description,
            epilog=epilog,
            formatter_class=formatter_class,
            add_help=add_help,
            allow_abbrev=False,
        )
        #: The words that this parser last got, for hints.
        self.given: list[str] = []

    def parse_known_args(  # type: ignore[override]  # as parse_args
        self, args: Optional[Sequence[str]] = None, namespace: Optional[argparse.Namespace] = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Return the values of *args*, and the words that this parser does not know."""
        self.given = list(sys.argv[1:] if args is None else args)
        return super().parse_known_args(self.given, namespace)

    @property
    def arguments(self) -> list[argparse.Action]:
        """The arguments of this parser, in the order of their declaration."""
        return list(self._actions)

    @property
    def option_groups(self) -> list[OptionGroup]:
        """The titles of the groups in the help, with their arguments."""
        return [
            OptionGroup(each.title or "", list(each._group_actions))  # noqa: SLF001 - has no reader
            for each in self._action_groups
        ]

    @property
    def commands(self) -> dict[str, CommandParser]:
        """The sub-commands of this parser by name; empty for a command without any."""
        for action in self._actions:
            if isinstance(action.choices, dict):
                return action.choices
        return {}

    @property
    def takes_command(self) -> bool:
        """Whether a sub-command may follow."""
        return any(isinstance(each.choices, dict) for each in self._actions)

    @property
    def needs_command(self) -> bool:
        """Whether a sub-command must follow."""
        return any(isinstance(each.choices, dict) and each.required for each in self._actions)

    @property
    def summaries(self) -> dict[str, str]:
        """The one-line help of each sub-command, by name."""
        for action in self._actions:
            if isinstance(action.choices, dict):
                # argparse itself reads them through this function, and has no public one.
                entries: Iterable[argparse.Action] = getattr(action, "_get_subactions")()  # noqa: B009
                return {entry.dest: entry.help or "" for entry in entries}
        return {}

    def leaves(self) -> list[CommandParser]:
        """Return the parsers that work without a sub-command: this one, and those below it."""
        found = [] if self.needs_command else [self]
        for command in self.commands.values():
            found += command.leaves()
        return found

    def format_usage(self) -> str:
        """Return the usage without the options that may be left out, which the help lists."""
        return f"usage: {self.synopsis}\n"

    def format_help(self) -> str:
        """Return the help, with the short usage."""
        self.usage = self.synopsis.replace("%", "%%")
        return super().format_help()

    @property
    def synopsis(self) -> str:
        """The program with its positional arguments and the options that it requires."""
        words = [self.prog]
        for action in self._actions:
            if action.option_strings and action.required:
                words.append(f"{action.option_strings[0]} {_name_of(action, value=True)}")
        positional = [_positional(each) for each in self._actions if not each.option_strings]
        options = "[options]"
        # Options of a command with sub-commands come before these.
        words += [options, *positional] if self.commands else [*positional, options]
        return " ".join(words)

    def error(self, message: str) -> NoReturn:
        """Print *message* and where to find the help, in one line; exit with status 2."""
        unknown = self._unknown_option() if message.startswith(_MISSING) else None
        if unknown is not None:
            # It may be what is missing, with a typo.
            hint = self.hint(unknown) or f" Usage: {self.synopsis}"
            message = f"unknown argument {unknown!r}.{hint}"
        if message.startswith(_MISSING) and self.needs_command:
            message = f"name what to do: {', '.join(self.commands)}"
        elif message.startswith(_MISSING):
            names = message[len(_MISSING) :].strip()
            word = self._word_beside(names)
            meant = f" Did you mean: {names} {word}?" if word else ""
            message = f"missing: {names}.{meant} Usage: {self.synopsis}"
        elif self._is_order(message):
            message = f"{message}. Usage: {self.synopsis}"
        text = printable(" ".join(message.split()))
        stop = "" if text.endswith((".", "?")) else "."
        self.exit(2, f"{self.prog}: {text}{stop} See: {self.prog} --help\n")

    def _is_order(self, message: str) -> bool:
        """Return whether *message* is about one of several positional arguments.

        People know them, and mistake their order.
        """
        names = [_name_of(each) for each in self._actions if not each.option_strings]
        is_named = any(message.startswith(f"argument {name}: ") for name in names)
        return is_named and len(names) > 1 and self.synopsis not in message

    def _word_beside(self, name: str) -> str:
        """Return the given word that can be the value of the missing option *name*, or no text.

        It is a word more than the positional arguments take, or one that is not a file.
        """
        action = next((each for each in self._actions if name in each.option_strings), None)
        if action is None:
            return ""
        action.required = False
        try:
            # The method of this class remembers the words and calls this one again.
            chosen, extra = super().parse_known_args(self.given)
        finally:
            action.required = True
        if extra:
            return "" if extra[0].startswith("-") else extra[0]
        files = [each for each in self._actions if each.metavar == "FILE" and each.nargs == "+"]
        return next((word_among_files(getattr(chosen, each.dest)) for each in files), "")

    def parse_args(  # type: ignore[override]  # argparse declares overloads for other namespaces
        self, args: Optional[Sequence[str]] = None, namespace: Optional[argparse.Namespace] = None
    ) -> argparse.Namespace:
        """Return the values of *args*; exit with status 2 and a suggestion for unknown ones."""
        given = list(sys.argv[1:] if args is None else args)
        chosen, extra = self.parse_known_args(given, namespace)
        asked: CommandParser = getattr(chosen, "parser", self)
        if extra and not asked.takes_more(chosen, extra):
            asked.error(f"unknown argument {extra[0]!r}.{asked.hint(extra[0])}")
        return chosen

    def takes_more(self, chosen: argparse.Namespace, words: Sequence[str]) -> bool:
        """Add *words* that follow an option to the last positional argument, in *chosen*.

        Return False if it takes no more words. argparse itself fills it only once.
        """
        positional = [each for each in self._actions if not each.option_strings]
        if not positional or positional[-1].nargs not in ("*", "+"):
            return False
        if any(word.startswith("-") and len(word) > 1 for word in words):
            return False
        last = positional[-1]
        try:
            more = [last.type(word) if callable(last.type) else word for word in words]
        except argparse.ArgumentTypeError as error:
            self.error(f"argument {_name_of(last)}: {error}")
        setattr(chosen, last.dest, [*(getattr(chosen, last.dest) or ()), *more])
        return True

    def hint(self, option: str) -> str:
        """Return a sentence that helps with the unknown word *option*, or an empty text."""
        if not option.startswith("-"):
            positional = [each.metavar for each in self._actions if not each.option_strings]
            if "://" in option and any("--server-url" in e.option_strings for e in self._actions):
                return f" Did you mean: --server-url {option}?"
            if any("--on" in each.option_strings for each in self._actions):
                return f" Select entities with --on, such as: --on Task {option}"
            if "EXPRESSION" in positional:
                return _QUOTING + ("" if " events" in self.prog else f" {_QUOTED_QUERY}")
            return " Put an argument with spaces in quotes." if "TEXT" in positional else ""
        # Without dashes, which would make all options alike.
        known = {
            name[2:]: name
            for action in self._actions
            for name in action.option_strings
            if name.startswith("--")
        }
        word = option.split("=", maxsplit=1)[0].lstrip("-")
        if not option.startswith("--"):
            word = word[:1]  # A value may follow it, as in "-n3".
        from ftrack_like._base.suggest import closest  # lazy: only for mistakes

        assigned = self._assignment_hint(option)
        if assigned:
            return assigned
        required = {
            name[2:] for each in self._actions if each.required for name in each.option_strings
        }
        others = {name: here for name, here in _OTHER_OPTIONS.items() if here in known}
        others.update({name: here for name, here in _OTHER_REQUIRED.items() if here in required})
        best = [others[word]] if word in others else closest(word, known, remotely=False)
        if not best:
            import difflib  # lazy: only for mistakes

            best = [others[each] for each in difflib.get_close_matches(word, others, cutoff=0.8)]
        if best:
            return f" Did you mean {known[best[0]]!r}?"
        return self._argument_hint(option, word)

    def _argument_hint(self, option: str, word: str) -> str:
        """Return a sentence for the unknown *option* whose *word* stands for an argument here."""
        positional = [str(each.metavar) for each in self._actions if not each.option_strings]
        if "EXPRESSION" in positional and word in _IN_EXPRESSIONS and " events" not in self.prog:
            return f" It is a part of the expression, such as: '{_IN_EXPRESSIONS[word]}'"
        if word.upper() in positional:
            return f" Write {word.upper()} without an option. Usage: {self.synopsis}"
        if "ATTRIBUTE=VALUE" in positional and option.startswith("--"):
            return f" Write an attribute without dashes: {word.replace('-', '_')}=VALUE"
        return ""

    def _unknown_option(self) -> Optional[str]:
        """Return the first of the given words that is an option which no argument has, or None."""
        known = {name for action in self._actions for name in action.option_strings}
        for word in self.given:
            if word == "--" or word in self.commands:
                return None  # The words after it are no options, or those of another parser.
            if len(word) < 2 or not word.startswith("-") or " " in word.partition("=")[0]:
                continue
            if word.startswith("--"):
                is_known = word.partition("=")[0] in known
            else:  # A value may follow a short option without a space.
                is_number = self._negative_number_matcher.match(word) is not None
                is_known = word[:2] in known or is_number
            if not is_known:
                return word
        return None

    def _assignment_hint(self, option: str) -> str:
        """Return a sentence for the unknown *option* ``--attribute=value``, or an empty text."""
        positional = [each.metavar for each in self._actions if not each.option_strings]
        name, sign, _ = option.partition("=")
        is_known = any(name in each.option_strings for each in self._actions)
        if not sign or is_known or "ATTRIBUTE=VALUE" not in positional:
            return ""
        return f" Write an attribute without dashes: {option.lstrip('-')}"

    def _check_value(self, action: argparse.Action, value: object) -> None:
        """Exit with a suggestion if *value* is none of the choices of *action*."""
        if action.choices is None or value in action.choices:
            return
        names = [str(each) for each in action.choices]
        what = "command" if isinstance(action.choices, dict) else f"value of {_name_of(action)}"
        listed = f" Choose from: {', '.join(names)}."
        hint = _suggestion(str(value), names)
        if isinstance(action.choices, dict) and _OTHER_COMMANDS.get(str(value)) in names:
            hint = f" Did you mean {_OTHER_COMMANDS[str(value)]!r}?"
        if isinstance(action.choices, dict):
            hint = self._with_usual_command(str(value), hint)
        raise argparse.ArgumentError(None, f"{value!r} is not a {what}.{hint or listed}")

    def _with_usual_command(self, word: str, hint: str) -> str:
        """Return *hint* for the unknown sub-command *word*, or a hint with the usual sub-command.

        A *word* that cannot be the name of a command is an argument of one.
        """
        usual = _USUAL_COMMANDS.get(self.prog.rpartition(" ")[2])
        is_name = word in (word.lower(), word.upper())
        is_name = is_name and _COMMAND_CHARACTERS.issuperset(word.lower())
        if usual not in self.commands or is_name:
            return hint
        return f" Did you mean '{self.prog} {usual} …'?"


def _name_of(action: argparse.Action, value: bool = False) -> str:
    """Return the name of *action* in messages, or with *value* the name of its value."""
    if action.option_strings and not value:
        return "/".join(action.option_strings)
    return str(action.metavar or action.dest)


def _positional(action: argparse.Action) -> str:
    """Return the positional argument *action* as in a usage."""
    name = _name_of(action)
    if isinstance(action.choices, dict):
        return f"{name} …" if action.required else f"[{name} …]"
    forms = {"?": "[{}]", "*": "[{} …]", "+": "{} …"}
    return forms.get(str(action.nargs), "{}").format(name)


def _suggestion(name: str, known: Iterable[str]) -> str:
    """Return the sentence "Did you mean …?" with a space before it, or an empty text."""
    from ftrack_like._base.suggest import did_you_mean  # lazy: only for mistakes

    hint = did_you_mean(name, known, remotely=False)
    return f" {hint}" if hint else ""
