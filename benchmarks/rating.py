"""What rating costs: ``python benchmarks/rating.py``, from the root of the repository.

Times one rating against a 100,000-prefix deck beside two plain alternatives, and loading the deck
from either of its forms. Trust the ratios: the microseconds belong to the machine.
"""

import argparse
import platform
import random
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "functions"))

from billing.domain.decks import parse_deck, serialise_deck
from billing.domain.rating import (
    Rate,
    RateDeck,
    RateTable,
    Rounding,
    Terms,
    price_quantity,
    rate_remaining,
    rate_usage,
)
from billing.domain.units import Direction, Unit

VOICE, OUTBOUND = Unit.VOICE_SECONDS, Direction.OUTBOUND
ROUNDS = 7  # The median of these is printed; the methods take turns within a round.


def make_deck(prefixes: int, prices: int, source: random.Random) -> RateTable:
    """Random prefixes of 1 to 9 digits, runs of neighbours sharing one of few prices."""
    drawn: set[str] = set("123456789")
    while len(drawn) < prefixes:
        drawn.add(str(source.randrange(10, 10 ** source.randrange(4, 10))))
    increments = ((60, 60), (30, 6), (1, 1), (6, 6))
    terms = [
        Terms(
            f"Destination {n}",
            source.randrange(1, 5_000) * 100,
            0,
            *increments[n % len(increments)],
        )
        for n in range(prices)
    ]
    return RateTable(
        {(VOICE, OUTBOUND): {p: terms[n * prices // prefixes] for n, p in enumerate(sorted(drawn))}}
    )


def operators_csv(table: RateTable) -> str:
    lines = ["prefix,destination,rate,first_increment_seconds,next_increment_seconds"]
    for _, _, prefix, terms in table:
        price = f"{terms.rate_micros // 10**6}.{terms.rate_micros % 10**6:06d}"
        first, step = terms.first_increment_seconds, terms.next_increment_seconds
        lines.append(f"{prefix},{terms.destination},{price},{first},{step}")
    return "\n".join(lines)


def scan(rows: list[tuple[str, Terms]], digits: str) -> Rate:
    best = max((row for row in rows if digits.startswith(row[0])), key=lambda row: len(row[0]))
    return Rate(best[0], *best[1])


def decimal_price(rate: Rate, seconds: int) -> Decimal:
    first, step = Decimal(rate.first_increment_seconds), Decimal(rate.next_increment_seconds)
    further = max(Decimal(0), Decimal(seconds) - first)
    billed = first + (further / step).to_integral_value(ROUND_CEILING) * step
    price = Decimal(rate.connect_fee_micros) + Decimal(rate.rate_micros) * billed / 60
    return price.scaleb(-6).quantize(Decimal("0.000001"), ROUND_CEILING)


def microseconds(work: Callable[[], object], repeat: int) -> float:
    started = time.process_time_ns()
    for _ in range(repeat):
        work()
    return (time.process_time_ns() - started) / 1_000 / repeat


def medians(works: dict[str, tuple[Callable[[], object], int]]) -> dict[str, float]:
    samples: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, (work, repeat) in works.items():
            samples[name].append(microseconds(work, repeat))
    return {name: statistics.median(values) for name, values in samples.items()}


def held_megabytes(content: str) -> tuple[float, float]:
    """What the loaded table holds, and the peak while it is loaded, text excluded."""
    tracemalloc.start()
    table = parse_deck(content)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(table) > 0
    return held / 1e6, peak / 1e6


def print_rating(table: RateTable, source: random.Random) -> None:
    deck = RateDeck("bench", 1, "USD", datetime(2026, 1, 1, tzinfo=UTC), Rounding.UP, 6, table)
    rows = [(prefix, terms) for _, _, prefix, terms in table]
    numbers = [str(source.randrange(10**10, 10**11)) for _ in range(1_000)]
    calls = [(number, source.randrange(1, 1_800)) for number in numbers]
    rates = [(deck.find(VOICE, OUTBOUND, number), seconds) for number, seconds in calls]
    rated = [rate_usage(deck, VOICE, OUTBOUND, number, seconds) for number, seconds in calls]
    for (rate, seconds), whole in zip(rates, rated, strict=True):
        assert decimal_price(rate, seconds) == Decimal(whole.cost_micros).scaleb(-6)
    for number in numbers[:5]:
        assert scan(rows, number) == deck.find(VOICE, OUTBOUND, number)

    results = medians(
        {
            "rate a call": (
                lambda: [rate_usage(deck, VOICE, OUTBOUND, n, s) for n, s in calls],
                5,
            ),
            "  find its prefix": (lambda: [deck.find(VOICE, OUTBOUND, n) for n in numbers], 5),
            "  price it": (
                lambda: [price_quantity(r, VOICE, s, Rounding.UP, 6) for r, s in rates],
                5,
            ),
            "split it over grants": (lambda: [rate_remaining(whole, 1) for whole in rated], 5),
            "explain it": (lambda: [whole.lines for whole in rated], 5),
            "price it in Decimal": (lambda: [decimal_price(r, s) for r, s in rates], 5),
            "find by linear scan": (lambda: [scan(rows, n) for n in numbers[:5]], 1),
        }
    )
    results = {
        name: total / (5 if name == "find by linear scan" else len(calls))
        for name, total in results.items()
    }
    base = results["rate a call"]
    print(f"{'':24}{'µs':>12}{'ratio':>12}")
    for name, each in results.items():
        print(f"{name:24}{each:12,.2f}{each / base:12,.2f}")
    print(
        f"linear scan / lookup {results['find by linear scan'] / results['  find its prefix']:,.0f}"
        f"   Decimal / integers {results['price it in Decimal'] / results['  price it']:.2f}"
    )


def print_loading(table: RateTable) -> None:
    forms = {
        "uploaded, row a prefix": operators_csv(table),
        "stored, row a price": serialise_deck(table),
    }
    base = 0.0
    print(f"{'load':24}{'ms':>12}{'ratio':>12}{'text MB':>12}{'held MB':>12}{'peak MB':>12}")
    for name, content in forms.items():
        assert parse_deck(content) == table
        spent = statistics.median(
            microseconds(partial(parse_deck, content), 1) / 1_000 for _ in range(ROUNDS)
        )
        base = base or spent
        held, peak = held_megabytes(content)
        print(
            f"{name:24}{spent:12,.0f}{spent / base:12.2f}"
            f"{len(content) / 1e6:12.1f}{held:12.1f}{peak:12.1f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Time rating against a large rate deck.")
    parser.add_argument("--prefixes", type=int, default=100_000)
    parser.add_argument("--prices", type=int, default=5_000, help="distinct prices among them")
    options = parser.parse_args()
    source = random.Random(1)
    table = make_deck(options.prefixes, options.prices, source)
    print(
        f"{len(table):,} prefixes, {options.prices:,} prices, Python {platform.python_version()},"
        f" CPU time, median of {ROUNDS}"
    )
    print_rating(table, source)
    print_loading(table)


if __name__ == "__main__":
    main()
