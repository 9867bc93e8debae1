"""Rate decks as CSV: read what operators upload, and say what is wrong with it, where."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from operator import itemgetter

from billing.domain.deck_cells import (
    ALL_COLUMNS,
    COLUMNS,
    REQUIRED_COLUMNS,
    cell_problems,
    parse_key,
    parse_terms,
    parse_window_cell,
    prefix_cell,
)
from billing.domain.deck_form import (
    PREFIXES_PER_ROW,
    SCHEMA,
    SCHEMA_NAME,
    TIME_ZONE_NAME,
    deck_digest,
    load_deck,
    serialise_deck,
)
from billing.domain.deck_values import CellError, parse_prefixes, shown
from billing.domain.errors import InvalidInputError
from billing.domain.periods import zone
from billing.domain.rates import RateTable, TableKey, Terms
from billing.domain.units import Unit
from billing.domain.windows import Window

__all__ = [
    "ALL_COLUMNS",
    "COLUMNS",
    "MAX_PROBLEMS",
    "PREFIXES_PER_ROW",
    "DeckError",
    "DeckProblem",
    "deck_digest",
    "load_deck",
    "parse_deck",
    "serialise_deck",
]

MAX_PROBLEMS = 100  # Enough to fix a file by; a wrong separator would give one for every line.
TERMS_KEPT = 10_000  # Read rows kept for others that say the same; beyond, they are read again.

_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")


@dataclass(frozen=True, slots=True)
class DeckProblem:
    """What is wrong in an uploaded deck, where, and how to mend it.

    Args:
        line: As an editor counts, from 1.
        column: Empty where the whole line is meant.
        detail: For a person.
    """

    line: int
    column: str
    detail: str


class DeckError(InvalidInputError):
    """An uploaded deck cannot be used; nothing of it was taken over."""

    code = "invalid_rate_deck"

    def __init__(self, problems: tuple[DeckProblem, ...]) -> None:
        assert problems
        first = problems[0]
        where = f"line {first.line}, {first.column}" if first.column else f"line {first.line}"
        more = f" ({len(problems)} problems in all)" if len(problems) > 1 else ""
        super().__init__(f"{where}: {first.detail}{more}")
        self.problems = problems


def parse_deck(content: str | bytes) -> RateTable:
    """Read a rate deck. A byte order mark, any line ending, quotes and blank lines are accepted.

    Raises:
        DeckError: The first problems of the file, at most ``MAX_PROBLEMS``.

    Source:
        docs/rating.md, "The CSV format".
    """
    reader = _DeckReader()
    problems = tuple(islice(reader.read(_decode(content)), MAX_PROBLEMS))
    if not problems and not reader.prices:
        problems = (DeckProblem(1, "", "no prices below the header; add at least one"),)
    if problems:
        raise DeckError(problems)
    # Without windows a zone has no effect, and equal prices are one table.
    return RateTable(reader.prices, reader.time_zone if reader.has_windows else "UTC")


class _RowError(Exception):
    """The file cannot be split into rows beyond this line."""

    def __init__(self, line: int, detail: str) -> None:
        super().__init__(detail)
        self.problem = DeckProblem(line, "", detail)


@dataclass(slots=True)
class _Timed:
    """A row with a window, until the whole of its prefix is known."""

    line: int
    window: Window
    terms: Terms


class _DeckReader:
    """Collects prices and yields problems, so that the caller decides when it has seen enough."""

    def __init__(self) -> None:
        self.prices: dict[TableKey, dict[str, Terms]] = {}
        self.time_zone = ""
        self._lines: dict[TableKey, dict[str, int]] = {}
        self._timed: dict[tuple[TableKey, str], list[_Timed]] = {}
        # Carriers repeat few prices over many prefixes: each is checked and kept once.
        self._terms: dict[tuple[str, ...], Terms] = {}

    @property
    def has_windows(self) -> bool:
        return bool(self._timed)

    def read(self, text: str) -> Iterator[DeckProblem]:
        rows = _rows(text)
        try:
            line, header = next(rows, (1, []))
            while header and header[0].strip().startswith("#"):
                yield from self._read_setting(line, [cell.strip() for cell in header])
                line, header = next(rows, (line, []))
            names = [name.strip().lower() for name in header]
            problems = list(_header_problems(line, names))
            yield from problems or self._read_rows(names, rows)
        except _RowError as error:
            yield error.problem
            return
        if not problems:
            yield from self._join_windows()

    def _read_setting(self, line: int, cells: list[str]) -> Iterator[DeckProblem]:
        name, value = cells[0].lower(), cells[1] if len(cells) > 1 else ""
        if any(cells[2:]):
            yield DeckProblem(line, shown(cells[0]), "more than one value; keep one")
        elif name == SCHEMA_NAME:
            if value not in map(str, range(1, SCHEMA + 1)):
                detail = f"{shown(value)} is no form of deck known here; remove the line"
                yield DeckProblem(line, name, detail)
        elif name == TIME_ZONE_NAME:
            if self.time_zone:
                yield DeckProblem(line, name, "stands there twice; keep one")
            try:
                self.time_zone = zone(value).key
            except InvalidInputError as error:
                yield DeckProblem(line, name, error.detail)
        else:
            detail = f"unknown setting; remove it, or use {SCHEMA_NAME} or {TIME_ZONE_NAME}"
            yield DeckProblem(line, shown(cells[0]), detail)

    def _read_rows(
        self, names: list[str], rows: Iterator[tuple[int, list[str]]]
    ) -> Iterator[DeckProblem]:
        # Columns that the header lacks read the empty cell appended to every row.
        pick = itemgetter(*(names.index(c) if c in names else len(names) for c in ALL_COLUMNS))
        for line, row in rows:
            if len(row) != len(names):
                detail = f"{len(row)} values under {len(names)} columns; quote values with commas"
                yield DeckProblem(line, "", detail)
                continue
            row.append("")
            yield from self._read_row(line, pick(row))

    def _read_row(self, line: int, cells: tuple[str, ...]) -> Iterator[DeckProblem]:
        try:
            key = parse_key(cells[0], cells[1])
            prefixes = parse_prefixes(cells[2])
            terms = self._shared_terms(key[0], cells[3:11])
            window = parse_window_cell(cells[11])
        except CellError:
            for column, detail in cell_problems(cells):
                yield DeckProblem(line, column, detail)
            return
        if window:
            yield from self._add_timed(key, prefixes, _Timed(line, window, terms))
            return
        lines, prices = self._lines.setdefault(key, {}), self.prices.setdefault(key, {})
        for prefix in prefixes:
            if prefix in lines:
                detail = f"{prefix_cell(prefix)} stands on line {lines[prefix]} already"
                yield DeckProblem(line, "prefix", f"{detail}; keep one of them")
            else:
                lines[prefix] = line
                prices[prefix] = terms

    def _shared_terms(self, unit: Unit, cells: tuple[str, ...]) -> Terms:
        name = (unit, *cells)
        terms = self._terms.get(name)
        if terms is None:
            if len(self._terms) == TERMS_KEPT:
                self._terms.clear()
            terms = self._terms[name] = parse_terms(unit, *cells)
        return terms

    def _add_timed(
        self, key: TableKey, prefixes: Sequence[str], row: _Timed
    ) -> Iterator[DeckProblem]:
        if not self.time_zone:
            detail = f"whose clocks? add a line {TIME_ZONE_NAME},Europe/Berlin above the header"
            yield DeckProblem(row.line, "window", detail)
        for prefix in prefixes:
            self._timed.setdefault((key, prefix), []).append(row)

    def _join_windows(self) -> Iterator[DeckProblem]:
        """Give each prefix its windows, which must lie apart and beside a price for the rest."""
        joined: dict[Terms, Terms] = {}
        for (key, prefix), timed in self._timed.items():
            for one, other in combinations(timed, 2):
                if one.window.overlaps(other.window):
                    detail = f"{prefix_cell(prefix)} has an overlapping window on line {one.line}"
                    yield DeckProblem(other.line, "window", f"{detail}; move one of them")
            base = self.prices.get(key, {}).get(prefix)
            if base is None:
                detail = f"{prefix_cell(prefix)} has no price outside its windows"
                yield DeckProblem(timed[0].line, "window", f"{detail}; add a row without a window")
                continue
            windows = sorted((row.window, row.terms) for row in timed)
            terms = base._replace(windows=tuple(windows))
            self.prices[key][prefix] = joined.setdefault(terms, terms)


def _decode(content: str | bytes) -> str:
    if isinstance(content, str):
        return content.removeprefix("\ufeff")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        detail = "not UTF-8 text; save the file as CSV UTF-8"
        raise DeckError((DeckProblem(line, "", detail),)) from error


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that hold anything, each with the line it starts on."""
    lines = (match.group() for match in _LINE.finditer(text))
    reader = csv.reader(lines, strict=True)
    start = 1
    try:
        for row in reader:
            if any(map(str.strip, row)):
                yield start, row
            start = reader.line_num + 1
    except csv.Error as error:
        detail = f"not CSV from here on ({error}); check the quotes"
        raise _RowError(start, detail) from error


def _header_problems(line: int, names: list[str]) -> Iterator[DeckProblem]:
    if not names:
        yield DeckProblem(line, "", f"empty; begin with the header {','.join(COLUMNS)}")
        return
    if len(names) == 1 and any(mark in names[0] for mark in ";\t"):
        yield DeckProblem(line, "", "one column only; separate columns with commas")
        return
    seen: set[str] = set()
    for name in names:
        if name not in ALL_COLUMNS:
            detail = f"unknown column; remove it, or use one of {', '.join(ALL_COLUMNS)}"
            yield DeckProblem(line, shown(name), detail)
        elif name in seen:
            yield DeckProblem(line, name, "appears twice; keep one of the two")
        seen.add(name)
    for name in REQUIRED_COLUMNS:
        if name not in seen:
            yield DeckProblem(line, name, "column missing; add it")
