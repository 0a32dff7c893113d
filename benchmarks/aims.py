"""What the measured figures are to reach, so that the documentation can say where they do not."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Optional

#: How many times faster than the published client a figure of a workload is to be: at any size, or
#: at the size in the title.
TIMES: dict[tuple[str, str], float] = {
    ("query_tasks", "query, decode and merge (s)"): 25,
    ("query_tasks", "first read of every projected attribute (s)"): 15,
    ("query_tasks 1,000", "first read of every projected attribute (s)"): 10,
    ("query_tasks", "the same query again (s)"): 25,
    ("start_session", "start of a further session (s)"): 3,
    ("access_attributes", 'entity["name"] (s each)'): 5,
    ("access_attributes", 'entity["status"]["name"] (s each)'): 6,
    ("access_attributes", "hash(entity) (s each)"): 5,
    ("access_attributes", "entity == other (s each)"): 5,
    ("access_attributes", "entity.keys() (s each)"): 5,
    ("access_attributes", "write (s each)"): 5,
    ("create_and_commit", "create and commit (s)"): 15,
    ("publish_locally", "subscribe (s each)"): 50,
    ("publish_locally", "local publish (s each)"): 20,
    ("dispatch_mixed", "dispatch (s each)"): 15,
    ("encode_entities", "encode, persisted_only (s)"): 8,
    ("query_in_threads", "eight threads, a page each (s)"): 6,
    ("publish_and_receive", "publish and receive (s each)"): 3,
}

#: Give the median of a figure: ``value(title of a workload, figure, module="ftrack_like")``, where
#: the title is a workload's name, with its size where it is measured at several.
Value = Callable[..., float]


class Aim(NamedTuple):
    """An aim that is no mere ratio of one figure."""

    #: What is to hold, for people.
    text: str
    #: Called with a :data:`Value`; returns the figure to be compared.
    figure: Callable[[Value], float]
    limit: float
    #: How the figure and the limit are written.
    form: str


IMPORT, ALONE = "import (s)", "import of requests alone (s)"
QUERY, COMMIT = "query, decode and merge (s)", "commit of one change (s)"
HELD, READ = "memory per task held (B)", "memory per task once read (B)"
UP, DOWN = (
    "more memory at the peak of the upload (B)",
    "more memory at the peak of the download (B)",
)

PROCESS, BARE_PROCESS = (
    "whole process up to the first query (s)",
    "… with requests alone and one request (s)",
)
SEQUENCE = "copy a sequence of 100 frames to the server (count)"
IN_TURN, AT_ONCE = "queries one after the other (s)", "queries at once, on an event loop (s)"
ITERATED = "memory added while reading all tasks (B)"

OTHERS = (
    Aim(
        "whole process up to the first query: times what requests alone and one request take",
        lambda value: value("start_process", PROCESS) / value("start_process", BARE_PROCESS),
        1.25,
        "{:.2f}",
    ),
    Aim(
        "import: milliseconds more than requests alone",
        lambda value: 1e3 * (value("import_module", IMPORT) - value("import_module", ALONE)),
        25,
        "{:.1f}",
    ),
    Aim(
        "query, decode and merge: times what a bare identity map takes, without the requests",
        lambda value: value("query_tasks", QUERY) / value("query_tasks", QUERY, "floor"),
        3.5,
        "{:.1f}",
    ),
    Aim(
        "commit of one change with 50,000 tasks loaded: times what it takes with 1,000",
        lambda value: (
            value("commit_one_change 50,000", COMMIT) / value("commit_one_change 1,000", COMMIT)
        ),
        1.5,
        "{:.2f}",
    ),
    Aim(
        "commit of one change with 50,000 tasks loaded: milliseconds",
        lambda value: 1e3 * value("commit_one_change 50,000", COMMIT),
        5,
        "{:.2g}",
    ),
    Aim(
        "memory per task held: bytes", lambda value: value("hold_in_memory", HELD), 3000, "{:,.0f}"
    ),
    Aim(
        "memory per task once all of it was read: bytes",
        lambda value: value("hold_in_memory", READ),
        3300,
        "{:,.0f}",
    ),
    Aim(
        "memory added while iterate reads 20,000 tasks: MiB",
        lambda value: value("iterate_in_memory 20,000", ITERATED) / 2**20,
        24,
        "{:.0f}",
    ),
    Aim(
        "a sequence of 100 frames to the server: requests",
        lambda value: value("count_requests", SEQUENCE),
        104,
        "{:.0f}",
    ),
    Aim(
        "loop over unloaded attributes: requests",
        lambda value: value("read_unloaded", "requests of the loop (count)"),
        6,
        "{:.0f}",
    ),
    Aim(
        "loop over unloaded attributes: milliseconds",
        lambda value: 1e3 * value("read_unloaded", "loop over unloaded attributes (s)"),
        100,
        "{:.0f}",
    ),
    Aim(
        "query of 10,000 tasks with 50 ms of latency, 20 pages: milliseconds",
        lambda value: 1e3 * value("query_far_away 10,000", "query with 50 ms of latency (s)"),
        450,
        "{:.0f}",
    ),
    Aim(
        "100 queries at once at 100 ms of latency: times what they take one after the other",
        lambda value: (
            value("separate_queries_100_ms", AT_ONCE) / value("separate_queries_100_ms", IN_TURN)
        ),
        0.1,
        "{:.2f}",
    ),
    Aim(
        "eight threads, a page each: times what one thread takes for all",
        lambda value: (
            value("query_in_threads", "eight threads, a page each (s)")
            / value("query_in_threads", "one thread, eight pages (s)")
        ),
        1,
        "{:.2f}",
    ),
    Aim(
        "events lost",
        lambda value: value("publish_and_receive", "events lost (count)"),
        0,
        "{:.0f}",
    ),
    Aim("upload: MiB more at the peak", lambda value: value("move_data", UP) / 2**20, 32, "{:.0f}"),
    Aim(
        "download: MiB more at the peak",
        lambda value: value("move_data", DOWN) / 2**20,
        32,
        "{:.0f}",
    ),
)


class Outcome(NamedTuple):
    """What came of one of :data:`OTHERS`."""

    text: str
    figure: str
    limit: str
    is_reached: bool


def outcomes(medians: dict[str, dict[str, dict[str, float]]]) -> list[Outcome]:
    """Return what came of the aims that were measured.

    *medians* are ``{title: {figure: {module: median}}}``, titles with the size.
    """

    def value(title: str, figure: str, module: str = "ftrack_like") -> float:
        """Return a median; :exc:`LookupError` if it was not measured."""
        found = [
            each
            for name, each in medians.items()
            if name == title or (" " not in title and name.partition(" ")[0] == title)
        ]
        return found[0][figure][module]

    made = []
    for aim in OTHERS:
        try:
            measured = aim.figure(value)
        except LookupError:
            continue
        shown, limit = aim.form.format(measured), aim.form.format(aim.limit)
        made.append(Outcome(aim.text, shown, limit, measured <= aim.limit))
    return made


def times_of(title: str, figure: str) -> Optional[float]:
    """Return how many times faster *figure* of the workload *title* is to be, None if nothing."""
    aim = TIMES.get((title, figure))
    return TIMES.get((title.partition(" ")[0], figure)) if aim is None else aim


def missed(rows: Any, others: list[Outcome]) -> list[str]:
    """Return what is not reached, a text each, given the *rows* of a report and the *others*."""
    texts = []
    for row in rows:
        aim = times_of(row.workload, row.figure)
        if aim is not None and row.times is not None and row.times < aim:
            name = row.workload.replace("_", " ")
            texts.append(f"{name}: {row.figure.partition(' (s')[0]} ({row.times:.1f} of {aim:g})")
    texts += [
        f"{each.text} ({each.figure}, {each.limit})" for each in others if not each.is_reached
    ]
    return texts
