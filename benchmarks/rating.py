"""What rating costs: ``python benchmarks/rating.py``, from the root of the repository.

Times one rating against a 250,000-prefix deck beside two plain alternatives, and reading the deck
from either of its forms, with few prices behind many prefixes and with a price for each. Trust the
ratios: the microseconds belong to the machine.
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
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "functions"))

from billing.domain.deck_diff import diff_decks
from billing.domain.decks import deck_digest, load_deck, parse_deck, serialise_deck
from billing.domain.rating import (
    Rate,
    RateDeck,
    RateTable,
    Rounding,
    Terms,
    Tier,
    price_quantity,
    rate_remaining,
    rate_usage,
)
from billing.domain.units import Direction, Unit
from billing.domain.windows import parse_window

VOICE, OUTBOUND = Unit.VOICE_SECONDS, Direction.OUTBOUND
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROUNDS = 7  # The median of these is printed; the methods take turns within a round.
READINGS = 3  # Whole decks, which take seconds.


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
    return Rate(best[0], *best[1][:-1])


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


def held_megabytes(read: Callable[[], RateTable]) -> tuple[float, float]:
    """What the table holds once it is read, and the peak on the way there, text excluded."""
    tracemalloc.start()
    table = read()
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(table) > 0
    return held / 1e6, peak / 1e6


def deck_of(table: RateTable) -> RateDeck:
    return RateDeck("bench", 1, "USD", NOW, Rounding.UP, 6, load_deck(serialise_deck(table)))


def with_windows(table: RateTable) -> RateTable:
    evenings = parse_window("mon-fri 18:00-08:00")
    prices = {
        prefix: terms._replace(windows=((evenings, terms._replace(rate_micros=1)),))
        for _, _, prefix, terms in table
    }
    return RateTable({(VOICE, OUTBOUND): prices}, "Europe/Berlin")


def with_tiers(table: RateTable) -> RateTable:
    tiers = (Tier(60, 50), Tier(600, 20))
    return RateTable(
        {(VOICE, OUTBOUND): {p: terms._replace(tiers=tiers) for _, _, p, terms in table}}
    )


def print_rating(table: RateTable, source: random.Random) -> None:
    deck = deck_of(table)
    rows = [(prefix, terms) for _, _, prefix, terms in table]
    numbers = [str(source.randrange(10**10, 10**11)) for _ in range(1_000)]
    calls = [(number, source.randrange(1, 1_800)) for number in numbers]
    rates = [(deck.find(VOICE, OUTBOUND, number), seconds) for number, seconds in calls]
    rated = [rate_usage(deck, VOICE, OUTBOUND, number, seconds) for number, seconds in calls]
    for (rate, seconds), whole in zip(rates, rated, strict=True):
        assert decimal_price(rate, seconds) == Decimal(whole.cost_micros).scaleb(-6)
    for number in numbers[:5]:
        assert scan(rows, number) == deck.find(VOICE, OUTBOUND, number)

    few = numbers[:10]
    timed = deck_of(with_windows(table))
    tiered = deck_of(with_tiers(table))
    results = medians(
        {
            "rate a call": (
                lambda: [rate_usage(deck, VOICE, OUTBOUND, n, s) for n, s in calls],
                5,
            ),
            "  to a usual place": (
                lambda: [rate_usage(deck, VOICE, OUTBOUND, few[s % 10], s) for _, s in calls],
                5,
            ),
            "  in a window": (
                lambda: [rate_usage(timed, VOICE, OUTBOUND, n, s, NOW) for n, s in calls],
                5,
            ),
            "  over three tiers": (
                lambda: [rate_usage(tiered, VOICE, OUTBOUND, n, s) for n, s in calls],
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


def print_reading(table: RateTable) -> None:
    uploaded, stored = operators_csv(table), serialise_deck(table).encode()
    other = load_deck(stored)
    assert load_deck(stored) == parse_deck(uploaded) == table
    works: dict[str, tuple[Callable[[], object], int]] = {
        "upload: read, check, store": (
            lambda: deck_digest(serialise_deck(parse_deck(uploaded))),
            len(uploaded),
        ),
        "  read and check": (lambda: parse_deck(uploaded), len(uploaded)),
        "load what is stored": (lambda: (deck_digest(stored), load_deck(stored)), len(stored)),
        "diff of two versions": (lambda: diff_decks(table, other), 0),
    }
    print(f"{'':28}{'ms':>10}{'ratio':>8}{'text MB':>10}{'held MB':>10}{'peak MB':>10}")
    base = 0.0
    for name, (work, size) in works.items():
        spent = statistics.median(microseconds(work, 1) / 1_000 for _ in range(READINGS))
        base = base or spent
        print(f"{name:28}{spent:10,.0f}{spent / base:8.2f}", end="")
        readers: dict[str, Callable[[], RateTable]] = {
            "  read and check": lambda: parse_deck(uploaded),
            "load what is stored": lambda: load_deck(stored),
        }
        if name in readers:
            held, peak = held_megabytes(readers[name])
            print(f"{size / 1e6:10.1f}{held:10.1f}{peak:10.1f}", end="")
        print()


def main() -> None:
    parser = argparse.ArgumentParser(description="Time rating against a large rate deck.")
    parser.add_argument("--prefixes", type=int, default=250_000)
    parser.add_argument("--prices", type=int, default=5_000, help="distinct prices among them")
    options = parser.parse_args()
    print(
        f"Python {platform.python_version()}, CPU time, median of {ROUNDS}, of reading {READINGS}"
    )
    for prices in (options.prices, options.prefixes):
        table = make_deck(options.prefixes, prices, random.Random(1))
        print(f"\n{len(table):,} prefixes, {prices:,} prices")
        if prices == options.prices:
            print_rating(table, random.Random(2))
        print_reading(table)


if __name__ == "__main__":
    main()
