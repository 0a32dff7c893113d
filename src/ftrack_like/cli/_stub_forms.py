"""The forms of methods in a module with the types of a site."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Optional

__all__ = ["Groups", "narrowed", "overloads", "wrong_form"]

#: The names of attributes by the type of their values. None stands for any name.
Groups = dict[str, list[Optional[str]]]


def overloads(
    method: str,
    parameters: str,
    groups: Groups,
    result: str = "",
    wrong: str = "",
) -> list[str]:
    """Return the forms of *method*, one for each type in *groups*.

    *groups* maps types to the names of attributes. A name None stands for any text. *parameters*
    has places for the key and the type. *result* replaces the type as the result. *wrong* has the
    parameters of the form for mistakes, see :func:`wrong_form`.
    """
    forms = []
    for type_name in sorted(groups):
        names = [name for name in groups[type_name] if name is not None]
        literal = f"_Literal[{', '.join(map(ascii, sorted(names)))}]"
        keys = [literal] if names else []
        if None in groups[type_name]:
            keys.append("str")
        for key in keys:
            filled = parameters.format(key=key, type=type_name)
            form = f"    def {method}(self, {filled}) -> {result or type_name}: ..."
            forms.append((key == "str", form))
    forms.sort(key=lambda each: each[0])  # A form for any text must come last.
    texts = [form for _, form in forms]
    if len(texts) == 1:
        return texts
    lines = [line for form in texts for line in ("    @_overload", form)]
    return [*lines[:-2], *(wrong_form(method, wrong) if wrong else ()), *lines[-2:]]


def wrong_form(method: str, parameters: str) -> list[str]:
    """Return the form of *method* with *parameters*, which no call fits, to keep errors short.

    If no form fits a call, mypy lists all forms, unless one fits when the arguments of generic
    types are left out. A text is a sequence, so the form for a sequence of another type does. Then
    mypy compares the call with this form only. A protocol, such as ``Iterable``, takes six lines.
    The form is not the last one, because pyright compares the call with that.
    """
    return ["    @_overload", f"    def {method}(self, {parameters}) -> _Any: ..."]


def narrowed(
    origin: str, results: Mapping[str, str], classes: Mapping[str, str], prefix: str = ""
) -> list[str]:
    """Return the methods of the class *origin* that lead to entities, with classes of the site.

    *results* maps names of methods to their results, such as ``{Note}``, which name entity types.
    *classes* has the class for each type. A method is left out if the site does not have the type.
    The parameters stay those of *origin*, so the text does not repeat them. *prefix* is ``async``
    for coroutines.
    """
    lines = []
    for method, result in results.items():
        try:
            known = result.format_map(classes)
        except KeyError:
            continue
        head = f"{prefix}def {method}(self, *_: _Any, **__: _Any)"
        lines += [f"    @_with_parameters_of({origin}.{method})", f"    {head} -> {known}: ..."]
    return lines
