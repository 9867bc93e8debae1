"""Prices equal an independent model of docs/rating.md on random decks and calls.

The model reads a deck as raw cells and works a price out as one would by hand, in decimals. A deck
takes the whole way: written as CSV, read, stored, loaded.
"""

import csv
import io
import os
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, localcontext
from zoneinfo import ZoneInfo

import pytest

from billing.domain.decks import ALL_COLUMNS, load_deck, parse_deck, serialise_deck
from billing.domain.errors import DestinationBlockedError, DestinationNotRatedError
from billing.domain.rating import LineKind, Rated, RateDeck, Rounding, rate_remaining, rate_usage
from billing.domain.units import Direction, Unit

CALLS = int(os.environ.get("RATING_MODEL_CALLS", "5000"))
"""How many calls are compared; a longer run is one with RATING_MODEL_CALLS=100000."""

CALLS_PER_DECK = 20
ZONES = ("America/New_York", "Europe/Berlin", "Asia/Kolkata")
START = datetime(2026, 1, 1, tzinfo=UTC)
CLOCK_CHANGES = (
    datetime(2026, 3, 8, 7, tzinfo=UTC),
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
)


@dataclass(frozen=True)
class Clause:
    """A window as an operator thinks of it; ``end`` at or before ``start`` is on the next day."""

    days: frozenset[int]
    start: int
    end: int

    def text(self) -> str:
        names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
        days = " ".join(names[day] for day in sorted(self.days))
        return f"{days} {self.start:02d}:00-{self.end:02d}:00"

    def holds(self, weekday: int, hour: int) -> bool:
        if self.start < self.end:
            return weekday in self.days and self.start <= hour < self.end
        begins = weekday in self.days and hour >= self.start
        return begins or ((weekday - 1) % 7 in self.days and hour < self.end)

    def hours(self) -> frozenset[int]:
        return frozenset(
            24 * day + hour for day in range(7) for hour in range(24) if self.holds(day, hour)
        )


@dataclass(frozen=True)
class Row:
    unit: str
    direction: str
    prefix: str
    rate: Decimal | None
    fee: Decimal
    first: int
    step: int
    tiers: tuple[tuple[int, Decimal], ...]
    cap: Decimal | None
    treatment: str
    window: Clause | None

    def cells(self) -> list[str]:
        timed = self.unit == "voice"
        return [
            self.unit,
            self.direction,
            self.prefix,
            "Somewhere",
            "" if self.rate is None else str(self.rate),
            str(self.fee) if timed else "",
            str(self.first) if timed else "",
            str(self.step) if timed else "",
            " ".join(f"{price}@{after}" for after, price in self.tiers),
            "" if self.cap is None else str(self.cap),
            self.treatment,
            self.window.text() if self.window else "",
        ]

    def billed(self, quantity: int) -> int:
        if quantity == 0 or self.treatment == "free":
            return 0
        if self.unit == "message":
            return quantity
        billed = self.first
        while billed < quantity:
            billed += self.step
        return billed

    def price(self, billed: int, granted: int, rounding: Rounding, decimals: int) -> Decimal:
        if billed == 0:
            return Decimal(0)
        assert self.rate is not None
        with localcontext() as context:
            context.prec = 80
            unit = Decimal(1).scaleb(-decimals)
            if self.unit == "message":
                exact = self.rate * (billed - granted)
            else:
                edges = [0, *(after for after, _ in self.tiers), 10**9]
                prices = [self.rate, *(price for _, price in self.tiers)]
                by_minute = Decimal(0)
                for start, end, price in zip(edges, edges[1:], prices, strict=False):
                    seconds = min(end, billed) - max(start, granted)
                    by_minute += price * max(0, seconds)
                # Divided once: a sum of cut thirds would be off where the whole is not.
                exact = self.fee + by_minute / 60
            methods = {"up": ROUND_CEILING, "middle": ROUND_HALF_UP, "down": ROUND_FLOOR}
            price = exact.quantize(unit, methods[rounding.value])
            return price if self.cap is None else min(price, self.cap.quantize(unit, ROUND_FLOOR))


def money(source: random.Random, below: int) -> Decimal:
    return Decimal(source.randrange(below)).scaleb(-source.choice((2, 4, 6)))


def random_row(source: random.Random, unit: str, direction: str, prefix: str) -> Row:
    timed = unit == "voice"
    treatment = source.choice(["", "", "", "", "charged", "free", "blocked"])
    if treatment == "free" or (treatment == "blocked" and source.random() < 0.5):
        return Row(unit, direction, prefix, None, Decimal(0), 1, 1, (), None, treatment, None)
    first, step = source.choice(((60, 60), (30, 6), (1, 1), (6, 6), (60, 1), (7, 13)))
    starts = sorted(source.sample(range(1, 900), source.choice((0, 0, 1, 2, 3)))) if timed else []
    return Row(
        unit,
        direction,
        prefix,
        money(source, 30_000),
        money(source, 3_000) if timed and source.random() < 0.5 else Decimal(0),
        first,
        step,
        tuple((start, money(source, 30_000)) for start in starts),
        money(source, 90_000) + 1 if timed and source.random() < 0.3 else None,
        treatment,
        None,
    )


def random_rows(source: random.Random, clauses: Sequence[Clause]) -> list[Row]:
    keys = {
        (
            source.choice(("voice", "voice", "voice", "message")),
            source.choice(("outbound", "inbound", "any")),
            source.choice(("", "", "short:"))
            + "".join(source.choices("123", k=source.randrange(4))),
        )
        for _ in range(12)
    }
    rows: list[Row] = []
    for unit, direction, digits in sorted(keys):
        prefix = digits if digits[-1:].isdigit() else digits + "*"
        taken: frozenset[int] = frozenset()
        for clause in source.sample(clauses, source.choice((0, 0, 1, 3))):
            if not taken & clause.hours():
                taken |= clause.hours()
                row = random_row(source, unit, direction, prefix)
                rows.append(replace(row, window=clause))
        rows.append(random_row(source, unit, direction, prefix))
    source.shuffle(rows)
    return rows


def random_number(source: random.Random) -> str:
    digits = "".join(source.choices("1234", k=9))
    short = "".join(source.choices("1234", k=source.randrange(3, 7)))
    return source.choice((f"+{digits}", f"+{digits}", digits, short, f"+{short}", "sip:a@b"))


def random_instant(source: random.Random) -> datetime:
    near = source.choice(CLOCK_CHANGES) + timedelta(minutes=source.randrange(-180, 180))
    return source.choice((near, START + timedelta(minutes=source.randrange(365 * 24 * 60))))


def model_row(
    rows: Sequence[Row], unit: str, direction: str, number: str, local: datetime
) -> Row | None:
    is_short = number.isdigit() and len(number) <= 6
    digits = "".join(c for c in number if c.isdigit()) if number[:4] != "sip:" else ""
    matching = [
        row
        for row in rows
        if row.unit == unit
        and row.direction in (direction, "any")
        and row.prefix.startswith("short:") == is_short
        and digits.startswith(row.prefix.removeprefix("short:").removesuffix("*"))
    ]
    if not matching:
        return None

    def rank(row: Row) -> tuple[int, bool]:
        return len(row.prefix.removesuffix("*")), row.direction == direction

    best = max(map(rank, matching))
    its_rows = [row for row in matching if rank(row) == best]
    for row in its_rows:
        if row.window and row.window.holds(local.weekday(), local.hour):
            return row
    return next(row for row in its_rows if row.window is None)


def check_call(
    source: random.Random, rows: Sequence[Row], priced: RateDeck, time_zone: str
) -> Iterator[str]:
    """Compare one random call with the model, and tell what it was about."""
    unit = source.choice(("voice", "voice", "message"))
    direction = source.choice(list(Direction))
    number, at = random_number(source), random_instant(source)
    quantity = source.choice((0, 1, source.randrange(600), source.randrange(4_000)))
    row = model_row(rows, unit, direction.value, number, at.astimezone(ZoneInfo(time_zone)))
    its_unit = Unit.VOICE_SECONDS if unit == "voice" else Unit.MESSAGES

    def rate_it() -> Rated:
        return rate_usage(priced, its_unit, direction, number, quantity, at)

    if row is None:
        with pytest.raises(DestinationNotRatedError):
            rate_it()
        yield "not rated"
        return
    billed = row.billed(quantity)
    if billed and row.treatment == "blocked" and row.rate is None:
        with pytest.raises(DestinationBlockedError):
            rate_it()
        yield "blocked"
        return
    whole = rate_it()
    split = rate_remaining(whole, source.randrange(billed + 1))
    assert whole.billed_quantity == billed, (row, quantity)
    for part in (whole, split):
        expected = row.price(billed, part.granted_quantity, priced.rounding, priced.decimals)
        assert Decimal(part.wallet_micros).scaleb(-6) == expected, (row, quantity, part)
        total = sum((Decimal(line.amount) for line in part.lines), Decimal(0))
        assert total == expected, (row, quantity, part.lines)
    yield unit if billed else f"nothing billed, {row.treatment or 'charged'}"
    yield from (line.kind for line in split.lines)


def test_prices_equal_an_independent_decimal_model_on_random_decks_and_calls() -> None:
    source = random.Random(20260302)
    clauses = [
        Clause(frozenset(source.sample(range(7), source.randrange(1, 6))), start, end)
        for _ in range(30)
        for start, end in [source.choice(((8, 18), (18, 8), (0, 24), (22, 6), (12, 13), (20, 24)))]
    ]
    seen: Counter[str] = Counter()
    for _ in range(CALLS // CALLS_PER_DECK):
        rows = random_rows(source, clauses)
        time_zone = source.choice(ZONES)
        sheet = io.StringIO()
        csv.writer(sheet).writerows(
            [["#time_zone", time_zone], ALL_COLUMNS, *(row.cells() for row in rows)]
        )
        table = load_deck(serialise_deck(parse_deck(sheet.getvalue())))
        rounding, decimals = source.choice(list(Rounding)), source.randrange(7)
        priced = RateDeck("retail", 3, "EUR", START, rounding, decimals, table)
        for _ in range(CALLS_PER_DECK):
            seen.update(check_call(source, rows, priced, time_zone))
    # Each part of a tariff decided at least one call in a hundred.
    expected = {"voice", "message", "not rated", "blocked", "nothing billed, free", *LineKind}
    expected -= {LineKind.METERED}  # Units of the operator's own are not in the model.
    assert {part for part in expected if seen[part] < CALLS // 100} == set(), seen
