"""Weekly windows: the minutes of a week, on the clocks of one time zone, at which a price holds."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from billing.domain.errors import InvalidInputError
from billing.domain.periods import zone

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60
WEEK_MINUTES = 7 * DAY_MINUTES
MAX_WINDOW_CHARACTERS = 200

Span = tuple[int, int]
"""Half-open, in minutes."""

_DAYS = re.compile(rf"({'|'.join(DAYS)})(?:-({'|'.join(DAYS)}))?")
_TIMES = re.compile(r"([0-9]{2}):([0-5][0-9])-([0-9]{2}):([0-5][0-9])")


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A part of the week, by wall clock.

    Args:
        spans: Since Monday 00:00; sorted, apart from each other, none across a midnight. Equal
            windows have equal spans.
    """

    spans: tuple[Span, ...]

    def holds(self, minute: int) -> bool:
        """Whether a minute of the week lies in it."""
        return any(start <= minute < end for start, end in self.spans)

    def overlaps(self, other: "Window") -> bool:
        return any(
            start < other_end and other_start < end
            for start, end in self.spans
            for other_start, other_end in other.spans
        )

    def __str__(self) -> str:
        """The one spelling of it, such as ``mon-fri 08:00-18:00; sat 08:00-12:00``."""
        by_day: dict[int, list[Span]] = {}
        for start, end in self.spans:
            midnight = start - start % DAY_MINUTES
            by_day.setdefault(midnight // DAY_MINUTES, []).append(
                (start - midnight, end - midnight)
            )
        clauses: dict[tuple[Span, ...], list[int]] = {}
        for day, spans in by_day.items():
            clauses.setdefault(tuple(spans), []).append(day)
        return "; ".join(_clause_text(days, spans) for spans, days in clauses.items())


def minute_of_week(at: datetime, time_zone: str) -> int:
    """What the clocks of a zone show, in minutes since Monday 00:00.

    An hour that clocks repeat is shown twice and one they skip never: the instant decides.
    """
    local = at.astimezone(zone(time_zone))
    return local.weekday() * DAY_MINUTES + local.hour * 60 + local.minute


def parse_window(text: str, longest: int | None = MAX_WINDOW_CHARACTERS) -> Window:
    """Read clauses separated by semicolons, each days, times, or days and then times.

    No days are all days, no times the whole day. ``22:00-06:00`` ends on the following day.

    Args:
        longest: Characters people may write. None: it is one of ours, which says every day apart.

    Raises:
        InvalidInputError: Says what cannot be read.
    """
    if longest is not None and len(text) > longest:
        raise _refusal(f"longer than {longest} characters; shorten it")
    spans = [span for clause in text.lower().split(";") for span in _clause_spans(clause)]
    return Window(tuple(_normalised(spans)))


def _clause_spans(clause: str) -> list[Span]:
    days: list[int] = []
    times: list[Span] = []
    for token in clause.split():
        if (match := _DAYS.fullmatch(token)) and not times:
            days += _day_range(match[1], match[2] or match[1])
        elif match := _TIMES.fullmatch(token):
            times.append(_time_range(token, *map(int, match.groups())))
        else:
            raise _refusal(f"{token[:40]!a} cannot be read; write it like mon-fri 08:00-18:00")
    if not days and not times:
        raise _refusal("a part is empty; write it like mon-fri 08:00-18:00")
    return [
        (day * DAY_MINUTES + start, day * DAY_MINUTES + end)
        for day in days or range(7)
        for start, end in times or [(0, DAY_MINUTES)]
    ]


def _day_range(first: str, last: str) -> list[int]:
    start = DAYS.index(first)
    count = (DAYS.index(last) - start) % 7 + 1
    return [(start + number) % 7 for number in range(count)]


def _time_range(token: str, hour: int, minute: int, end_hour: int, end_minute: int) -> Span:
    start, end = hour * 60 + minute, end_hour * 60 + end_minute
    if start >= DAY_MINUTES or end > DAY_MINUTES:
        raise _refusal(f"{token} is later than 24:00")
    if start == end:
        raise _refusal(f"{token} is empty; the whole day is 00:00-24:00")
    return start, end if start < end else end + DAY_MINUTES


def _normalised(spans: Iterable[Span]) -> Iterator[Span]:
    """Sorted, cut at midnights, and joined where they touch within a day."""
    last: Span | None = None
    for start, end in sorted(piece for span in spans for piece in _cut(*span)):
        if last and start <= last[1] and start // DAY_MINUTES == last[0] // DAY_MINUTES:
            last = last[0], max(last[1], end)
        else:
            if last:
                yield last
            last = start, end
    if last:
        yield last


def _cut(start: int, end: int) -> Iterator[Span]:
    """The pieces of a span, day by day; Sunday is followed by Monday."""
    while start < end:
        midnight = start - start % DAY_MINUTES + DAY_MINUTES
        stop = min(end, midnight)
        yield start % WEEK_MINUTES, (stop - 1) % WEEK_MINUTES + 1
        start = stop


def _clause_text(days: list[int], spans: tuple[Span, ...]) -> str:
    words = [] if len(days) == 7 else list(_day_words(days))
    if spans != ((0, DAY_MINUTES),):
        words += [f"{_clock(start)}-{_clock(end)}" for start, end in spans]
    return " ".join(words) or f"{DAYS[0]}-{DAYS[-1]}"


def _day_words(days: list[int]) -> Iterator[str]:
    for _, run in groupby(enumerate(days), lambda pair: pair[1] - pair[0]):
        first, *others = (day for _, day in run)
        yield f"{DAYS[first]}-{DAYS[others[-1]]}" if others else DAYS[first]


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _refusal(detail: str) -> InvalidInputError:
    return InvalidInputError(detail, field="window")
