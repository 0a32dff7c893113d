"""Replace keys, people's names and addresses in a recording.

Each text has one replacement in the whole recording, so a query by user name still finds the
record with that name. What is replaced:

- the key of each request, wherever it appears, and every value called ``api_key``;
- user names, first and last names and mail addresses of people, in their own records, in texts and
  in expressions;
- the address of the server and of its storage, with all parameters; IPv4 addresses;
- the texts that the caller lists, such as the name of a film.

Names of projects, shots and files stay unless the caller lists them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Optional
from urllib.parse import parse_qsl, urlencode, urlsplit

from ftrack_like.sandbox.recordings.file import SITE, Batch, Exchange, FileRead

__all__ = ["FILE_PARAMETERS", "Scrubber"]

#: The entity types that stand for people.
_PEOPLE = frozenset(
    {"User", "BaseUser", "Collaborator", "ReviewSessionInvitee", "ReviewSessionCollaborator"}
)
_NAMES = {
    "username": "user-{}",
    "first_name": "First{}",
    "last_name": "Last{}",
    "name": "Person {}",
}
_SECRETS = frozenset({"api_key", "apikey", "password", "secret"})

#: Keys whose values are words of the protocol.
_STRUCTURE = frozenset({"__entity_type__", "__type__", "action", "entity_type", "version"})

_MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_URL = re.compile(r"(?:https?|wss?)://[^\s\"'<>\\]+")
_IP = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])")

#: The parameters of an address that say which file it is; others may be secrets.
FILE_PARAMETERS = frozenset({"id", "size"})

#: Shorter names are replaced only where they are the whole value.
_SHORTEST_IN_TEXT = 3


class Scrubber:
    """Replaces texts; it learns the names of people from the exchanges that it is shown.

    *server* is the address of the recorded server. *replacements* maps further texts to what
    replaces them. With *keeps_names*, only keys and the address of the server are replaced.
    """

    def __init__(
        self,
        server: str,
        replacements: Optional[Mapping[str, str]] = None,
        keeps_names: bool = False,
    ) -> None:
        self._server = server.rstrip("/")
        self._host = urlsplit(server).netloc
        self._replacements = dict(replacements or {})
        self._keeps_names = keeps_names
        self._keys: set[str] = set()
        #: Replacements of user names, full names and mail addresses: they count in every text.
        self._people: dict[str, str] = {}
        #: Replacements of first and last names: they count in records of people and in quotes.
        self._parts: dict[str, str] = {}
        self._mails: dict[str, str] = {}
        self._addresses: dict[str, str] = {}
        self._machines: dict[str, str] = {}
        self._pattern: Optional[re.Pattern[str]] = None

    def learn(self, key: str, user: str, values: Iterable[Any]) -> None:
        """Remember *key*, the name of *user*, and the people in *values* (requests and answers)."""
        if key:
            self._keys.add(key)
        if not self._keeps_names:
            if user:
                self._learn_name("username", user)
            for value in values:
                self._learn(value)
        self._pattern = None

    def _learn(self, value: Any) -> None:
        """Remember the people in *value*, at any depth."""
        if isinstance(value, list):
            for each in value:
                self._learn(each)
        elif isinstance(value, dict):
            if value.get("__entity_type__") in _PEOPLE:
                for name in _NAMES:
                    self._learn_name(name, value.get(name))
                first, last = value.get("first_name"), value.get("last_name")
                if first and last and isinstance(first, str) and isinstance(last, str):
                    self._people[f"{first} {last}"] = f"{self._parts[first]} {self._parts[last]}"
            for each in value.values():
                self._learn(each)

    def _learn_name(self, attribute: str, text: Any) -> None:
        """Give *text*, the value of *attribute* of a person, a replacement."""
        if not isinstance(text, str) or not text.strip():
            return
        known = self._parts if attribute in ("first_name", "last_name") else self._people
        if _MAIL.fullmatch(text):
            known[text] = self._mail(text)
        elif text not in known:
            known[text] = _NAMES[attribute].format(len(known) + 1)

    def _mail(self, text: str) -> str:
        """Return the replacement of the mail address *text*."""
        return self._mails.setdefault(text, f"person-{len(self._mails) + 1}@example.invalid")

    def scrub(self, exchange: Exchange) -> Exchange:
        """Return *exchange* with all replacements."""
        if isinstance(exchange, FileRead):
            return FileRead(
                exchange.path,
                {name: self._text(value) for name, value in exchange.query.items()},
                exchange.status,
                exchange.type,
                exchange.body,
            )
        user = self._people.get(exchange.user, exchange.user)
        return Batch(
            user,
            exchange.strict,
            self._value(exchange.request),
            exchange.status,
            self._value(exchange.answer),
        )

    def _value(self, value: Any, name: str = "", person: bool = False) -> Any:
        """Return *value* with all replacements.

        *name* is its key. *person* says whether it belongs to the record of a person.
        """
        if isinstance(value, str):
            return self._named(value, name, person)
        if isinstance(value, list):
            return [self._value(each, name, person) for each in value]
        if isinstance(value, dict):
            is_person = value.get("__entity_type__") in _PEOPLE
            return {key: self._value(each, key, is_person) for key, each in value.items()}
        return value

    def _named(self, text: str, name: str, person: bool) -> str:
        """Return *text*, the value of *name*, with all replacements."""
        if name in _STRUCTURE:
            return text
        if name.lower() in _SECRETS:
            return "scrubbed"
        if person and name in _NAMES:
            known = self._parts if name in ("first_name", "last_name") else self._people
            return known.get(text, text)
        if text[:1] in "[{" and len(text) > 1:
            return self._json(text)
        return self._text(text, quotes=name in ("expression", "terms"))

    def _json(self, text: str) -> str:
        """Return *text*, which may be JSON such as the data of a job, with all replacements."""
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return self._text(text)
        scrubbed = self._value(value)
        return text if scrubbed == value else json.dumps(scrubbed)

    def _text(self, text: str, quotes: bool = False) -> str:
        """Return *text* with all replacements; with *quotes*, also those of quoted names."""
        text = _URL.sub(self._address, text)
        if self._host:
            text = text.replace(self._host, "site.invalid")
        if not self._keeps_names:
            text = _MAIL.sub(lambda found: self._mail_in_text(found.group()), text)
            text = _IP.sub(lambda found: self._machine(found.group()), text)
        pattern = self._known_texts()
        if pattern is not None:
            text = pattern.sub(self._replacement, text)
        if quotes and self._parts:
            text = re.sub(r"""(["'])((?:(?!\1).)*)\1""", self._quoted, text)
        return text

    def _mail_in_text(self, text: str) -> str:
        """Return the replacement of the mail address *text*, also if it was replaced before."""
        return text if text.endswith("@example.invalid") else self._mail(text)

    def _address(self, found: re.Match[str]) -> str:
        """Return the replacement of an address."""
        text = found.group()
        if text.startswith(self._server) and text[len(self._server) :][:1] in ("", "/", "?", "#"):
            return SITE + _without_parameters(text[len(self._server) :])
        if text.startswith(SITE) or ".invalid" in urlsplit(text).netloc:
            return text
        if self._keeps_names and not urlsplit(text).query:
            return text
        number = self._addresses.setdefault(text, str(len(self._addresses) + 1))
        return f"https://address-{number}.invalid/"

    def _machine(self, text: str) -> str:
        """Return the replacement of the IPv4 address *text*, from the range for documentation."""
        if text.startswith(("127.", "0.", "192.0.2.")):
            return text
        return self._machines.setdefault(text, f"192.0.2.{len(self._machines) % 254 + 1}")

    def _known_texts(self) -> Optional[re.Pattern[str]]:
        """Return the pattern of all texts that count everywhere; the longest come first."""
        if self._pattern is None:
            known = {*self._keys, *self._replacements}
            known |= {text for text in self._people if len(text) >= _SHORTEST_IN_TEXT}
            if not known:
                return None
            ordered = sorted(known, key=len, reverse=True)
            words = "|".join(map(re.escape, ordered))
            self._pattern = re.compile(rf"(?<![\w@.-])(?:{words})(?![\w@-])")
        return self._pattern

    def _replacement(self, found: re.Match[str]) -> str:
        """Return the replacement of a text that counts everywhere."""
        text = found.group()
        if text in self._keys:
            return "scrubbed"
        return self._replacements.get(text) or self._people[text]

    def _quoted(self, found: re.Match[str]) -> str:
        """Return a quoted text of an expression with the replacement of a first or last name."""
        quote, text = found.groups()
        return f"{quote}{self._parts.get(text, text)}{quote}"


def _without_parameters(text: str) -> str:
    """Return the path *text* with only those parameters that say which file it is."""
    parts = urlsplit(text)
    kept = [pair for pair in parse_qsl(parts.query) if pair[0] in FILE_PARAMETERS]
    return parts.path + (f"?{urlencode(kept)}" if kept else "")
