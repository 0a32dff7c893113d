"""The result of a run: a table by section, and a text with each check."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from tests.conformance.facts import CONFIDENCE

__all__ = ["Outcome", "Report", "without_client"]


class Outcome(NamedTuple):
    """How one check ended: ``passed``, ``failed`` or ``skipped``, and why."""

    section: str
    name: str
    client: str
    sentence: str
    source: str
    confidence: str
    outcome: str
    why: str = ""


class Report:
    """The *outcomes* of a run."""

    def __init__(self, outcomes: Iterable[Outcome]) -> None:
        self.outcomes = list(outcomes)

    def table(self) -> list[str]:
        """Return the lines of a table: how many checks of each section ended how, by client."""
        counts: Counter[tuple[str, str, str]] = Counter()
        for each in self.outcomes:
            counts[each.section, each.client, each.outcome] += 1
        keys = sorted({(section, client) for section, client, _ in counts})
        lines = [
            f"{'section':<18} {'client':<11} {'passed':>6} {'failed':>6} {'skipped':>7}"
            f"  {'confidence (checks)'}"
        ]
        for section, client in keys:
            found = [counts[section, client, each] for each in ("passed", "failed", "skipped")]
            lines.append(
                f"{section:<18} {client:<11} {found[0]:>6} {found[1]:>6} {found[2]:>7}"
                f"  {self._confidences(section, client)}"
            )
        total = Counter(each.outcome for each in self.outcomes)
        distinct = len(
            {(each.section, without_client(each.name, each.client)) for each in self.outcomes}
        )
        lines.append(
            f"{distinct} checks: {total['passed']} passed, {total['failed']} failed, "
            f"{total['skipped']} skipped"
        )
        return lines

    def _confidences(self, section: str, client: str) -> str:
        """Return how many checks have which confidence."""
        counts = Counter(
            each.confidence
            for each in self.outcomes
            if (each.section, each.client) == (section, client)
        )
        return " ".join(f"{name} {counts[name]}" for name in CONFIDENCE if counts[name])

    def text(self) -> str:
        """Return the whole report: the table, what failed and why, and each check."""
        lines = ["Conformance", "===========", "", *self.table(), ""]
        for title, outcome in (("Failed", "failed"), ("Skipped", "skipped"), ("Passed", "passed")):
            chosen = [each for each in self.outcomes if each.outcome == outcome]
            if not chosen:
                continue
            lines += [title, "-" * len(title), ""]
            for each in sorted(chosen):
                sure = CONFIDENCE[each.confidence]
                lines.append(f"{each.section}: {each.name}")
                lines.append(f"    {each.sentence} ({each.source}; {sure})")
                if each.why:
                    lines += [f"    {line}" for line in each.why.splitlines()[:6]]
            lines.append("")
        return "\n".join(lines) + "\n"


def without_client(name: str, client: str) -> str:
    """Return the *name* of a check without the name of the *client*."""
    return name.replace(f"[{client}-", "[").replace(f"[{client}]", "")
