"""The stored form of a rate deck: written one way only, and loaded without checking it again."""

import csv
import hashlib
import io
from array import array
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from billing.domain.deck_cells import (
    ALL_COLUMNS,
    COLUMNS,
    key_cells,
    parse_key,
    parse_terms,
    prefix_cell,
    terms_cells,
)
from billing.domain.destinations import MAX_PREFIX_DIGITS, SHORT
from billing.domain.rates import (
    DirectionOrAny,
    PrefixIndex,
    RateTable,
    Terms,
    Treatment,
    prefix_key,
)
from billing.domain.units import Unit
from billing.domain.windows import Window, parse_window

SCHEMA = 2
"""Schema 1 has the columns of a plain deck and no settings. What fits it is written in it, so that
its digest stays what it was before there was another."""

SCHEMA_NAME = "#schema"
TIME_ZONE_NAME = "#time_zone"
PREFIXES_PER_ROW = 1000  # Far below the 131,072 characters the csv module takes in one value.

_KEY_COLUMNS = COLUMNS[:3]
_FIRST_INCREMENT = COLUMNS.index("first_increment_seconds") - len(_KEY_COLUMNS)
_SCALES = tuple(10 ** (MAX_PREFIX_DIGITS - length) << 4 for length in range(MAX_PREFIX_DIGITS + 1))
"""Turns the digits of a prefix into the digits of its key: zeros behind, and four bits free."""


def serialise_deck(table: RateTable) -> str:
    """The canonical form: sorted, prefixes of one price in one row, one spelling of each number.

    It is a deck like any other and parses back to the same table.
    """
    groups: dict[tuple[Unit, DirectionOrAny, Terms, str], list[str]] = {}
    for unit, direction, prefix, terms in table:
        for window, own in (("", terms._replace(windows=())), *_timed(terms)):
            groups.setdefault((unit, direction, own, window), []).append(prefix_cell(prefix))
    plain = all(_is_plain(*group[2:], cells) for group, cells in groups.items())
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\n")
    if not plain:
        writer.writerow((SCHEMA_NAME, SCHEMA))
    if any(window for *_, window in groups):
        writer.writerow((TIME_ZONE_NAME, table.time_zone))
    writer.writerow(COLUMNS if plain else ALL_COLUMNS)
    rows = [
        (*key_cells(unit, direction), *terms_cells(unit, terms), window, sorted(prefixes))
        for (unit, direction, terms, window), prefixes in groups.items()
    ]
    for unit_name, direction_name, *cells, prefixes in sorted(rows):
        kept = cells[: len(COLUMNS) - len(_KEY_COLUMNS)] if plain else cells
        for start in range(0, len(prefixes), PREFIXES_PER_ROW):
            prefix_text = " ".join(prefixes[start : start + PREFIXES_PER_ROW])
            writer.writerow((unit_name, direction_name, prefix_text, *kept))
    return sheet.getvalue()


def deck_digest(canonical: str | bytes) -> str:
    """SHA-256 of the canonical form, in hexadecimal: equal for equal prices in any order."""
    return hashlib.sha256(
        canonical.encode() if isinstance(canonical, str) else canonical
    ).hexdigest()


def load_deck(canonical: str | bytes) -> RateTable:
    """The table of a canonical form, several times faster than reading it as an upload.

    Rows stay text until a number asks for their terms. Nothing is checked: the caller has compared
    the digest, and what was digested had been.
    """
    body = canonical.encode() if isinstance(canonical, str) else canonical
    time_zone = "UTC"
    start = 0
    while body.startswith(b"#", start):
        end = body.index(b"\n", start)
        name, _, value = body[start:end].decode().partition(",")
        if name == SCHEMA_NAME:
            assert int(value) <= SCHEMA, "a younger release wrote this deck"
        elif name == TIME_ZONE_NAME:
            time_zone = value
        start = end + 1
    header, *lines = body[start:-1].split(b"\n")
    return _packed(lines, time_zone, can_be_timed=header.endswith(b"window"))


class _StoredRows:
    """Rows as their text, end to end; behind them, those with windows as the rows they join."""

    def __init__(self, texts: list[bytes], joined: Iterable[tuple[int, ...]]) -> None:
        self._text = b"".join(texts)
        self._starts = array("I", accumulate(map(len, texts), initial=0))
        self._joined = tuple(joined)

    def __len__(self) -> int:
        return len(self._starts) - 1 + len(self._joined)

    def __getitem__(self, row: int) -> Terms:
        plain = len(self._starts) - 1
        if row < plain:
            return self._read(row)[0]
        base, *timed = self._joined[row - plain]
        windows = sorted((window, terms) for terms, window in map(self._read, timed) if window)
        return self._read(base)[0]._replace(windows=tuple(windows))

    def _read(self, row: int) -> tuple[Terms, Window | None]:
        text = self._text[self._starts[row] : self._starts[row + 1]].decode()
        cells = next(csv.reader((text,)))
        cells += [""] * (len(ALL_COLUMNS) - len(_KEY_COLUMNS) - len(cells))
        *terms, window = cells
        # Seconds are always spelled out for voice; messages and other pieces have none, and are
        # read alike.
        unit = Unit.VOICE_SECONDS if terms[_FIRST_INCREMENT] else Unit.MESSAGES
        return parse_terms(unit, *terms), parse_window(window, None) if window else None


@dataclass(slots=True)
class _Part:
    """The prefixes of one unit and direction while they are read, each with its row."""

    prefixes: list[bytes] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    timed: dict[bytes, tuple[int, ...]] = field(default_factory=dict)

    def join(self, joined: dict[tuple[int, ...], int], first: int) -> None:
        """Let prefixes that have windows refer to all their rows together, by a number behind."""
        for place, prefix in enumerate(self.prefixes) if self.timed else ():
            if timed := self.timed.get(prefix):
                rows = (self.rows[place], *timed)
                self.rows[place] = joined.setdefault(rows, first + len(joined))

    def index(self) -> PrefixIndex:
        # As they are spelled, with the star before every digit and short codes behind, prefixes in
        # alphabetical order are keys in order.
        order = sorted(range(len(self.prefixes)), key=self.prefixes.__getitem__)
        ordered = [self.prefixes[place] for place in order]
        start, stop = bisect_right(ordered, b"*"), bisect_left(ordered, b"s")
        keys = array("Q", map(_special_key, ordered[:start]))
        keys.extend([int(p) * _SCALES[len(p)] + len(p) for p in ordered[start:stop]])
        keys.extend(map(_special_key, ordered[stop:]))
        return PrefixIndex(keys, array("I", map(self.rows.__getitem__, order)))


def _packed(lines: list[bytes], time_zone: str, *, can_be_timed: bool) -> RateTable:
    texts: list[bytes] = []
    parts: dict[tuple[bytes, bytes], _Part] = defaultdict(_Part)
    for row, line in enumerate(lines):
        unit, direction, cell, text = line.split(b",", 3)
        texts.append(text)
        part = parts[unit, direction]
        prefixes = cell.split()
        if can_be_timed and not text.endswith(b","):
            for prefix in prefixes:
                part.timed[prefix] = (*part.timed.get(prefix, ()), row)
        else:
            part.prefixes += prefixes
            part.rows += [row] * len(prefixes)
    joined: dict[tuple[int, ...], int] = {}
    for part in parts.values():
        part.join(joined, len(texts))
    indexes = {
        parse_key(unit.decode(), direction.decode()): part.index()
        for (unit, direction), part in parts.items()
    }
    return RateTable.packed(indexes, _StoredRows(texts, joined), time_zone)


def _special_key(prefix: bytes) -> int:
    return prefix_key(prefix.decode().removesuffix("*"))


def _timed(terms: Terms) -> Iterator[tuple[str, Terms]]:
    return ((str(window), own) for window, own in terms.windows)


def _is_plain(terms: Terms, window: str, prefixes: list[str]) -> bool:
    """Whether schema 1 can say it."""
    return (
        not window
        and terms.tiers == ()
        and terms.cap_micros is None
        and terms.treatment is Treatment.CHARGED
        and not any(prefix.startswith(SHORT) for prefix in prefixes)
    )
