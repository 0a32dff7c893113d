"""Spans of OpenTelemetry, if the program uses it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Any, Optional

from ftrack_like._version import __version__

__all__ = ["TracedSpan", "is_traced", "start_span"]

_logger = logging.getLogger(__name__)


def is_traced() -> bool:
    """Return whether the program has imported OpenTelemetry.

    A program that has not cannot collect spans, so this library does not import it either.
    """
    return "opentelemetry.trace" in sys.modules


class TracedSpan:
    """A span that is current on its thread until :meth:`end`."""

    def __init__(self, span: Any, detach: Any) -> None:  # noqa: ANN401 - objects of OpenTelemetry
        """Initialise with the *span*, and the function that makes the one before current again."""
        self._span = span
        self._detach = detach

    def end(self, attributes: Mapping[str, Any], error: Optional[str]) -> None:
        """End the span with *attributes*, None excepted; *error* names an exception or is None."""
        try:
            for name, value in attributes.items():
                if value is not None:
                    self._span.set_attribute(name, value)
            if error is not None:
                trace = sys.modules["opentelemetry.trace"]
                self._span.set_attribute("error.type", error)
                self._span.set_status(trace.Status(trace.StatusCode.ERROR))
            self._detach()
            self._span.end()
        except Exception:  # Tracing must never break a program.
            _logger.debug("A span could not be ended.", exc_info=True)


def start_span(name: str, attributes: Mapping[str, Any]) -> Optional[TracedSpan]:
    """Start a span *name* with *attributes*, and make it current. Return None if that fails."""
    try:
        trace: Any = sys.modules["opentelemetry.trace"]
        context: Any = sys.modules["opentelemetry.context"]
        span = trace.get_tracer("ftrack_like", __version__).start_span(
            name, kind=trace.SpanKind.CLIENT, attributes=dict(attributes)
        )
        token = context.attach(trace.set_span_in_context(span))
        return TracedSpan(span, lambda: context.detach(token))
    except Exception:  # Tracing must never break a program, nor must a half-imported module.
        _logger.debug("A span could not be started.", exc_info=True)
        return None
