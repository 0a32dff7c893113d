"""The errors about unknown names, all in one form: what, where, and what to do.

::

    There is no type 'Taks' on https://site.example. Did you mean 'Task'?
    Task has no attribute 'nme'. Did you mean 'name'?
    Task has no custom attribute 'fstrt'. Did you mean 'fstart'?
    There is no Status 'Dne'. Did you mean 'Done'?

Without a similar name, the last sentence lists the known ones, or says how to print them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Optional

from ftrack_like.cli._errors import CommandError

__all__ = [
    "attributes_command",
    "no_component",
    "no_entity",
    "no_journal",
    "no_such_type",
    "types_command",
    "unknown_attribute",
    "unknown_choice",
    "unknown_custom_attribute",
]

#: How many known names an error lists.
_LISTED = 15


def no_such_type(name: str, types: Iterable[str], place: str) -> CommandError:
    """Return the error about the type *name*.

    *types* are those that exist in *place*, such as ``on https://site.example``.
    """
    hint = _advice_for(name, types, types_command())
    return CommandError(f"There is no type {name!r} {place}. {hint}")


def unknown_attribute(
    entity_type: str, name: str, known: Iterable[str], meant: str = ""
) -> CommandError:
    """Return the error about the attribute *name* of *entity_type*, which has those in *known*.

    *meant* is a better sentence than that on the nearest of *known*, such as on custom attributes.
    """
    hint = meant or _advice_for(name, known, attributes_command(entity_type))
    return CommandError(f"{entity_type} has no attribute {name!r}. {hint}")


def unknown_custom_attribute(entity_type: str, key: str, known: Iterable[str]) -> CommandError:
    """Return the error about the *key* of a custom attribute; *known* are those of the type."""
    keys = sorted(known)
    hint = _advice_for(key, keys, f"The keys are: {', '.join(keys) or 'none'}.")
    return CommandError(f"{entity_type} has no custom attribute {key!r}. {hint}")


def no_entity(
    entity_types: Sequence[str],
    text: str,
    known: Optional[Sequence[str]],
    *,
    path: Optional[str] = None,
    compared: str = "",
) -> str:
    """Return the sentences about *text*, which stands for no entity of *entity_types*.

    *text* is the value of the attribute *path*, or the name of the entity if that is None. *known*
    are the values that exist, None if there are too many. *compared* is the part of *text* to
    compare with them, by default all of it.
    """
    kind = " or ".join(entity_types)
    where = repr(text) if path is None else f"whose {path} is {text!r}"
    if known is not None and not known:
        listed = f"The server has no {kind} yet."
    elif known is None or len(known) > _LISTED:
        listed = f"'ftrack-like query {entity_types[-1]}' prints those that exist."
    else:
        listed = f"The {'names' if path is None else 'values'} are: {', '.join(known)}."
    return f"There is no {kind} {where}. {_advice_for(compared or text, known or (), listed)}"


def unknown_choice(entity_type: str, name: str, text: str, values: Sequence[str]) -> str:
    """Return the sentences about *text*, which is none of the *values* of the attribute *name*."""
    hint = _advice_for(text, values, "")
    listed = f"The values are: {', '.join(values)}."
    return " ".join(filter(None, (f"No {entity_type} has the {name} {text!r}.", hint, listed)))


def no_component(names: Sequence[str], known: Sequence[str]) -> CommandError:
    """Return the error about *names*, which are none of the components *known*."""
    listed = f"The names are: {', '.join(known)}."
    hint = _advice_for(names[0], known, "") if len(names) == 1 else ""
    wanted = ", ".join(map(repr, names))
    return CommandError(" ".join(filter(None, (f"There is no component {wanted}.", hint, listed))))


def no_journal(name: str, known: Sequence[str], place: str) -> CommandError:
    """Return the error about the journal *name*; *known* are those in the folder *place*."""
    listed = f"The names are: {', '.join(known)}." if known else "It has no journals."
    hint = _advice_for(name, known, listed)
    more = " --journal PLACE names another folder or server."
    return CommandError(f"There is no journal {name!r} in {place}. {hint}{more}")


def types_command() -> str:
    """Return the sentence about the command that lists all types."""
    return "'ftrack-like schema show' lists the types."


def attributes_command(entity_type: str) -> str:
    """Return the sentence about the command that lists the attributes of *entity_type*."""
    return f"'ftrack-like schema show {entity_type}' lists the attributes."


def _advice_for(name: str, known: Iterable[str], otherwise: str) -> str:
    """Return "Did you mean …?" for the unknown *name*, or *otherwise*."""
    from ftrack_like._base.suggest import did_you_mean  # lazy: only for mistakes

    return did_you_mean(name, known, otherwise)
