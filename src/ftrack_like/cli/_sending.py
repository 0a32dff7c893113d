"""Upload files as components: all of them, or none."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional, Union

from ftrack_like.cli._progress import ProgressBar
from ftrack_like.cli._sources import SourceFile
from ftrack_like.cli._text import amount, printable

if TYPE_CHECKING:
    from ftrack_like.entity.base import Entity
    from ftrack_like.entity.component import Component
    from ftrack_like.entity.location import Location
    from ftrack_like.session import Session

__all__ = ["removing_after_failure", "sending_all"]


@contextlib.contextmanager
def sending_all(
    session: Session,
    sources: Sequence[SourceFile],
    values: Mapping[str, Any],
    location: Optional[Location],
) -> Iterator[list[Component]]:
    """Upload *sources* to *location*, and yield their components with *values*.

    None as *location* takes the best one. After an exception, also one in the block, remove the
    components again.
    """
    place: Union[Location, str] = "auto" if location is None else location
    total = sum(source.size for source in sources)
    made: list[Component] = []
    with removing_after_failure(session, made):
        with ProgressBar(f"Uploading {amount(len(sources), 'component')}", total or None) as bar:
            before = 0
            for source in sources:

                def tell(done: int, _: int, before: int = before) -> None:
                    bar.update(before + done)

                made.append(
                    session.create_component(
                        source.path, {**values, "name": source.name}, place, progress=tell
                    )
                )
                before += source.size
                bar.update(before)
        yield made


@contextlib.contextmanager
def removing_after_failure(session: Session, made: Sequence[Entity]) -> Iterator[None]:
    """Delete the entities *made* in the block, the last first, if it raises an exception."""
    try:
        yield
    except BaseException:
        session.rollback()
        for entity in reversed(made):
            try:
                session.delete(entity)
                session.commit()
            except Exception as error:  # The first error is the one to report.
                session.rollback()
                text = f"{entity.entity_type} {entity['id']} could not be removed again: {error}"
                print(f"ftrack-like: {printable(' '.join(text.split()))}", file=sys.stderr)
        raise
