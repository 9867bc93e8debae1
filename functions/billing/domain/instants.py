"""Reading instants."""

import re
from datetime import UTC, datetime

_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?"
    r"(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def instant(value: str) -> datetime:
    """An RFC 3339 time as aware UTC, cut to microseconds.

    The library reads far more than that, such as weeks and times without a zone: the form comes
    first.

    Raises:
        ValueError: It is anything else, or no such time exists.
    """
    if not _RFC_3339.fullmatch(value):
        raise ValueError(f"{value!r} is no RFC 3339 time")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{value!r} is beyond the calendar") from error
