"""Rate decks as CSV: read what operators upload, and write the one form that is stored."""

import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from typing import TypeVar

from billing.domain.errors import InvalidInputError
from billing.domain.money import MICRO_DECIMALS, MICROS
from billing.domain.rating import DirectionOrAny, RateTable, Terms
from billing.domain.units import Direction, Unit

COLUMNS = (
    "unit",
    "direction",
    "prefix",
    "destination",
    "rate",
    "connect_fee",
    "first_increment_seconds",
    "next_increment_seconds",
)
REQUIRED_COLUMNS = ("prefix", "destination", "rate")
MAX_PROBLEMS = 100  # Enough to fix a file by; a wrong separator would give one for every line.
MAX_PREFIX_DIGITS = 15  # The longest E.164 number.
MAX_DESTINATION_CHARACTERS = 100
PREFIXES_PER_ROW = 1000  # Far below the 131,072 characters the csv module takes in one value.
MAX_INCREMENT_SECONDS = 86_400
DEFAULT_UNIT = "voice"
DEFAULT_DIRECTION = "outbound"
DEFAULT_INCREMENT_SECONDS = "60"

_UNITS = {"voice": Unit.VOICE_SECONDS, "message": Unit.MESSAGES}
_DIRECTIONS: dict[str, DirectionOrAny] = {
    "outbound": Direction.OUTBOUND,
    "inbound": Direction.INBOUND,
    "any": None,
}
_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
_PREFIXES = re.compile(r"[1-9][0-9]{0,14}(?: [1-9][0-9]{0,14})*")
_PRICE = re.compile(r"([0-9]{1,6})(?:\.([0-9]{1,6}))?")
_TOO_MANY_DECIMALS = re.compile(r"[0-9]+\.[0-9]{7,}")
_TOO_LARGE = re.compile(r"[0-9]{7,}(?:\.[0-9]*)?")
_EXPONENT = re.compile(r"[0-9]+(?:[.,][0-9]+)?[eE][+-]?[0-9]+")
_INCREMENT = re.compile(r"[0-9]{1,5}")

Choice = TypeVar("Choice")


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
    return RateTable(reader.prices)


def serialise_deck(table: RateTable) -> str:
    """The canonical form: sorted, prefixes of one price in one row, one spelling of each number.

    It is a deck like any other and parses back to the same table, several times faster.
    """
    groups: dict[tuple[Unit, DirectionOrAny, Terms], list[str]] = {}
    for unit, direction, prefix, terms in table:
        groups.setdefault((unit, direction, terms), []).append(prefix or "*")
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\n")
    writer.writerow(COLUMNS)
    rows = ((*_group_cells(*group), sorted(prefixes)) for group, prefixes in groups.items())
    for unit_name, direction_name, *cells, prefixes in sorted(rows):
        for start in range(0, len(prefixes), PREFIXES_PER_ROW):
            prefix_cell = " ".join(prefixes[start : start + PREFIXES_PER_ROW])
            writer.writerow((unit_name, direction_name, prefix_cell, *cells))
    return sheet.getvalue()


def deck_digest(canonical: str) -> str:
    """SHA-256 of the canonical form, in hexadecimal: equal for equal prices in any order."""
    return hashlib.sha256(canonical.encode()).hexdigest()


class _RowError(Exception):
    """The file cannot be split into rows beyond this line."""

    def __init__(self, line: int, detail: str) -> None:
        super().__init__(detail)
        self.problem = DeckProblem(line, "", detail)


class _CellError(Exception):
    """A cell cannot be read; the message says why and what to write."""


class _DeckReader:
    """Collects prices and yields problems, so that the caller decides when it has seen enough."""

    def __init__(self) -> None:
        self.prices: dict[tuple[Unit, DirectionOrAny], dict[str, Terms]] = {}
        self._lines: dict[tuple[Unit, DirectionOrAny], dict[str, int]] = {}
        # Carriers repeat few prices over many prefixes: each is checked and kept once.
        self._terms: dict[tuple[str, ...], Terms] = {}

    def read(self, text: str) -> Iterator[DeckProblem]:
        rows = _rows(text)
        try:
            line, header = next(rows, (1, []))
            names = [name.strip().lower() for name in header]
            yield from list(_header_problems(line, names)) or self._read_rows(names, rows)
        except _RowError as error:
            yield error.problem

    def _read_rows(
        self, names: list[str], rows: Iterator[tuple[int, list[str]]]
    ) -> Iterator[DeckProblem]:
        # Columns that the header lacks read the empty cell appended to every row.
        pick = itemgetter(*(names.index(c) if c in names else len(names) for c in COLUMNS))
        for line, row in rows:
            if len(row) != len(names):
                detail = f"{len(row)} values under {len(names)} columns; quote values with commas"
                yield DeckProblem(line, "", detail)
                continue
            row.append("")
            yield from self._read_row(line, pick(row))

    def _read_row(self, line: int, cells: tuple[str, ...]) -> Iterator[DeckProblem]:
        try:
            key = _parse_unit(cells[0]), _parse_direction(cells[1])
            prefixes = _parse_prefixes(cells[2])
            terms = self._shared_terms(key[0], cells[3:])
        except _CellError:
            yield from _cell_problems(line, cells)
            return
        lines, prices = self._lines.setdefault(key, {}), self.prices.setdefault(key, {})
        for prefix in prefixes:
            if prefix in lines:
                detail = f"{prefix or '*'} stands on line {lines[prefix]} already; keep one of them"
                yield DeckProblem(line, "prefix", detail)
            else:
                lines[prefix] = line
                prices[prefix] = terms

    def _shared_terms(self, unit: Unit, cells: tuple[str, ...]) -> Terms:
        terms = self._terms.get((unit, *cells))
        if terms is None:
            terms = self._terms[(unit, *cells)] = _parse_terms(unit, *cells)
        return terms


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
        if name not in COLUMNS:
            detail = f"unknown column; remove it, or use one of {', '.join(COLUMNS)}"
            yield DeckProblem(line, _shown(name), detail)
        elif name in seen:
            yield DeckProblem(line, name, "appears twice; keep one of the two")
        seen.add(name)
    for name in REQUIRED_COLUMNS:
        if name not in seen:
            yield DeckProblem(line, name, "column missing; add it")


def _cell_problems(line: int, cells: tuple[str, ...]) -> list[DeckProblem]:
    """Every bad cell of a row, where reading it stops at the first."""
    unit = _UNITS.get(cells[0].strip().lower() or DEFAULT_UNIT, Unit.VOICE_SECONDS)
    fee, increment = _FEE_AND_INCREMENT[unit]
    checks: tuple[Callable[[str], object], ...] = (
        _parse_unit,
        _parse_direction,
        _parse_prefixes,
        _parse_destination,
        _parse_price,
        fee,
        increment,
        increment,
    )
    problems = []
    for column, check, cell in zip(COLUMNS, checks, cells, strict=True):
        try:
            check(cell)
        except _CellError as error:
            problems.append(DeckProblem(line, column, str(error)))
    return problems


def _parse_unit(cell: str) -> Unit:
    return _choice(_UNITS, cell, DEFAULT_UNIT)


def _parse_direction(cell: str) -> DirectionOrAny:
    return _choice(_DIRECTIONS, cell, DEFAULT_DIRECTION)


def _choice(choices: Mapping[str, Choice], cell: str, default: str) -> Choice:
    name = cell.strip().lower() or default
    if name not in choices:
        raise _CellError(f"{_shown(cell)} is not one of {', '.join(choices)}")
    return choices[name]


def _parse_prefixes(cell: str) -> list[str]:
    # The stored form passes the pattern: a warm worker loads a large deck without this loop.
    if _PREFIXES.fullmatch(cell):
        return cell.split()
    return [_parse_prefix(text) for text in cell.split()] or [""]


def _parse_prefix(text: str) -> str:
    if text == "*":
        return ""
    digits = text.removeprefix("+")
    if _EXPONENT.fullmatch(digits):
        detail = f"{_shown(text)} comes from a spreadsheet; format the column as text and refill it"
        raise _CellError(detail)
    if not (digits.isascii() and digits.isdigit()):
        detail = f"{_shown(text)} is not a prefix; write digits, or * for every number"
        raise _CellError(detail)
    if len(digits) > MAX_PREFIX_DIGITS:
        detail = f"{_shown(text)} has more than {MAX_PREFIX_DIGITS} digits; shorten it"
        raise _CellError(detail)
    if digits[0] == "0":
        detail = f"{_shown(text)} matches no number; begin with the country code, not with 0 or 00"
        raise _CellError(detail)
    return digits


def _parse_terms(
    unit: Unit, destination: str, rate: str, connect_fee: str, first: str, step: str
) -> Terms:
    fee, increment = _FEE_AND_INCREMENT[unit]
    return Terms(
        _parse_destination(destination),
        _parse_price(rate),
        fee(connect_fee),
        increment(first),
        increment(step),
    )


def _parse_destination(cell: str) -> str:
    name = cell.strip()
    if not name:
        raise _CellError("empty; name the destination")
    if len(name) > MAX_DESTINATION_CHARACTERS:
        detail = f"longer than {MAX_DESTINATION_CHARACTERS} characters; shorten it"
        raise _CellError(detail)
    if not name.isprintable():
        detail = f"{_shown(name)} holds an invisible character; type it anew"
        raise _CellError(detail)
    return name


def _parse_price(cell: str) -> int:
    text = cell.strip()
    match = _PRICE.fullmatch(text)
    if match is None:
        raise _CellError(f"{_shown(text)} {_price_problem(text)}")
    units, fraction = match.groups()
    return int(units) * MICROS + int((fraction or "").ljust(MICRO_DECIMALS, "0"))


def _price_problem(text: str) -> str:
    if text.startswith("-"):
        return "is negative; a price is 0 or more"
    if _EXPONENT.fullmatch(text):
        return "has an exponent; write it out as a decimal"
    if _TOO_MANY_DECIMALS.fullmatch(text):
        return f"has more than {MICRO_DECIMALS} decimals; round it"
    if _TOO_LARGE.fullmatch(text):
        return "is too large; a price is less than 1000000"
    if "," in text:
        return "has a comma; write a decimal point, and no thousands separator"
    return "is not a price; write a decimal such as 0.0125, without a currency"


def _parse_fee(cell: str) -> int:
    return _parse_price(cell.strip() or "0")


def _parse_increment(cell: str) -> int:
    text = cell.strip() or DEFAULT_INCREMENT_SECONDS
    seconds = int(text) if _INCREMENT.fullmatch(text) else 0
    if not 1 <= seconds <= MAX_INCREMENT_SECONDS:
        raise _CellError(f"{_shown(text)} is not 1 to {MAX_INCREMENT_SECONDS} whole seconds")
    return seconds


def _parse_no_fee(cell: str) -> int:
    if _parse_fee(cell):
        raise _CellError("a message has no connect fee; leave it empty")
    return 0


def _parse_no_increment(cell: str) -> int:
    if cell.strip():
        raise _CellError("a message has no seconds; leave it empty")
    return 1


_FEE_AND_INCREMENT: dict[Unit, tuple[Callable[[str], int], Callable[[str], int]]] = {
    Unit.VOICE_SECONDS: (_parse_fee, _parse_increment),
    Unit.MESSAGES: (_parse_no_fee, _parse_no_increment),
}


def _group_cells(unit: Unit, direction: DirectionOrAny, terms: Terms) -> tuple[str, ...]:
    timed = unit is Unit.VOICE_SECONDS
    return (
        _name(_UNITS, unit),
        _name(_DIRECTIONS, direction),
        terms.destination,
        _price_text(terms.rate_micros),
        _price_text(terms.connect_fee_micros) if timed else "",
        str(terms.first_increment_seconds) if timed else "",
        str(terms.next_increment_seconds) if timed else "",
    )


def _price_text(micros: int) -> str:
    units, fraction = divmod(micros, MICROS)
    return f"{units}.{fraction:06d}".rstrip("0").rstrip(".")


def _name(choices: Mapping[str, Choice], wanted: Choice) -> str:
    return next(name for name, choice in choices.items() if choice is wanted)


def _shown(cell: str) -> str:
    """The cell as a message may show it: escaped, and short."""
    return ascii(cell if len(cell) <= 40 else cell[:40] + "...")
