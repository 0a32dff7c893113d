"""Dates on the wire: what one end encodes, the other decodes."""

from __future__ import annotations

import datetime

import arrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftrack_like.wire import values

OFFSET = datetime.timezone(datetime.timedelta(hours=2))


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (datetime.datetime(2020, 1, 2, 3, 4, 5), "datetime", "2020-01-02T03:04:05"),
        (datetime.datetime(2020, 1, 2, 3, 4, 5, 7), "datetime", "2020-01-02T03:04:05.000007"),
        (datetime.datetime(2020, 1, 2, tzinfo=OFFSET), "datetime", "2020-01-02T00:00:00+02:00"),
        (arrow.get(2020, 1, 2), "datetime", "2020-01-02T00:00:00+00:00"),
        (datetime.date(2020, 1, 2), "date", "2020-01-02"),
    ],
)
def test_dates_are_encoded(value: object, kind: str, text: str) -> None:
    """A date is sent as a date, a date-time as a date-time with the offset that it has."""
    assert values.encode_date(value) == {"__type__": kind, "value": text}


@pytest.mark.parametrize("value", [None, "2020-01-02", 5, {"a": 1}])
def test_other_values_are_no_dates(value: object) -> None:
    """What is no date has no wire form here."""
    assert values.encode_date(value) is None


@pytest.mark.parametrize(
    "text",
    [
        "2023-10-10T09:50:34",
        "2023-10-10",
        "2023-10-10T09:50:34+02:00",
        "2023-10-10T09:50:34.123456",
        "2023-10-10T09:50:34Z",
        "2023-10-10T09:50",
    ],
)
def test_texts_are_read_as_arrow_reads_them(text: str) -> None:
    """The quick way gives the moment and the zone that the parser of arrow gives."""
    found, expected = values.decode_date(text), arrow.get(text)
    assert found == expected
    assert found is not None
    assert found.utcoffset() == expected.utcoffset()


def test_no_value_stays_none() -> None:
    """A date without value is None, not now."""
    assert values.decode_date(None) is None


def test_same_text_gives_the_same_moment() -> None:
    """A moment is read once, however often its text comes."""
    assert values.decode_date("2021-05-06T07:08:09") is values.decode_date("2021-05-06T07:08:09")


def test_nonsense_is_refused() -> None:
    """A text that says no moment is an error."""
    with pytest.raises(ValueError):
        values.decode_date("next Tuesday")


@given(st.datetimes(timezones=st.just(datetime.timezone.utc)))
def test_round_trip(moment: datetime.datetime) -> None:
    """What is encoded is read back as the same moment, with and without arrow."""
    encoded = values.encode_date(moment)
    assert encoded is not None
    assert values.is_date(encoded)
    assert values.decode_date(encoded["value"]) == moment
    assert values.parse_datetime(encoded["value"]) == moment


def test_times_without_zone_are_utc() -> None:
    """A time that names no zone is one in UTC."""
    parsed = values.parse_datetime("2023-10-10 09:50:34")
    assert parsed == datetime.datetime(2023, 10, 10, 9, 50, 34, tzinfo=datetime.timezone.utc)
    assert values.parse_datetime("2023-10-10T09:50:34Z") == parsed
