"""Cover: how long a call may last on what grants and wallet hold, priced like the call itself.

Source of the rules: docs/authorisation.md, "What is set aside".
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from billing.domain import turning
from billing.domain.account import Account
from billing.domain.errors import (
    DestinationBlockedError,
    DestinationNotRatedError,
    InsufficientBalanceError,
    NegativeBalanceError,
)
from billing.domain.grants import Grant, UsageKey, burn
from billing.domain.rating import (
    Rate,
    RateDeck,
    Rounding,
    Treatment,
    Version,
    choose_deck,
    rate_remaining,
    rate_usage,
)
from billing.domain.units import Direction, Unit

ANSWER_TAKES = timedelta(minutes=2)
"""How long a call may ring before what is set aside for it begins to run."""

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Destination:
    """What decides the price of a call or a message, but for when and how long.

    Args:
        to_number: The called number, in both directions.
    """

    unit: Unit
    direction: Direction
    to_number: str


@dataclass(frozen=True, slots=True)
class Tariff:
    """A price that a call may have: a deck, and an instant of answer at which it holds."""

    deck: RateDeck
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class Cover:
    """So long a call may last on so much.

    Args:
        seconds: From answer to end; 1 for a message.
        wallet_micros: Of the wallet.
        grants: Seconds, or messages, by lot.
        granted: How many of those pay for the call, whenever it ends.
        full_micros: What the wallet pays instead, if they are used up before the call is posted:
            lots belong to nobody, and who is posted first burns first.
    """

    seconds: int
    wallet_micros: int
    grants: tuple[tuple[str, int], ...] = ()
    granted: int = 0
    full_micros: int = 0

    @property
    def is_free(self) -> bool:
        return not self.wallet_micros and not self.grants


def possible_answers(
    versions: Iterable[Version], at: datetime
) -> tuple[tuple[Version, datetime], ...]:
    """The instants at which a call that rings from ``at`` on may get another price.

    That is now, when a window of the week may begin or end (whole minutes), and when a deck version
    takes effect; each with the version in force then.

    Raises:
        NoRateDeckError: None is in force at ``at``.
    """
    versions = tuple(versions)
    minute = at.replace(second=0, microsecond=0)
    instants = {at, minute + _MINUTE, minute + 2 * _MINUTE, *(v.effective_at for v in versions)}
    return tuple(
        (choose_deck(versions, instant), instant)
        for instant in sorted(instants)
        if at <= instant <= at + ANSWER_TAKES
    )


def rate_now(tariffs: tuple[Tariff, ...], destination: Destination) -> Rate:
    """The rate of a call that is answered at once.

    Raises:
        DestinationNotRatedError: The deck has no price for the number.
    """
    now = tariffs[0]
    return now.deck.find(
        destination.unit, destination.direction, destination.to_number, now.answered_at
    )


def callable_rate(tariffs: tuple[Tariff, ...], destination: Destination) -> Rate:
    """The same, where the number may be called.

    Raises:
        DestinationNotRatedError: The deck has no price for the number.
        DestinationBlockedError: The deck blocks the number, with a price or without.
    """
    rate = rate_now(tariffs, destination)
    if rate.is_blocked:
        raise DestinationBlockedError(
            f"calls to {rate.destination} are blocked by rate deck {tariffs[0].deck.deck_id}"
        )
    return rate


def longest_cover(
    account: Account,
    taken: Iterable[Cover],
    tariffs: tuple[Tariff, ...],
    destination: Destination,
    most: int,
    now: datetime,
) -> Cover:
    """The longest part of ``most`` that grants and wallet can pay.

    The price is the highest one the call can have: it may be answered while it still rings, in
    another window or at another deck version, and it may end when a lot has expired, or a period
    has turned and refilled one. Elsewhere there is one price only, and it is the call's own.

    Args:
        account: Current as of ``now``.
        taken: What other calls have set aside, which does not exist for this one.
        tariffs: Of every instant it may be answered at, the earliest first.
        most: Seconds; 1 for a message.

    Raises:
        DestinationNotRatedError: The first tariff has no price for the number.
        DestinationBlockedError: It blocks the number and has no price for it.
        NegativeBalanceError: The wallet is below zero, and the call is not free.
        InsufficientBalanceError: Not even the first second, and so the first increment, can be
            paid.
    """
    taken_micros, gone = _taken(account, taken)
    prices = _Prices(account, gone, tariffs, destination, now, now + _lasts(destination, most))
    whole = prices.of(most)
    if whole.is_free:
        return whole
    if not account.may_start_calls:
        raise NegativeBalanceError("the balance is below zero: recharge before the next call")
    left = max(0, account.wallet_micros - taken_micros)
    if whole.wallet_micros <= left:
        return whole
    if prices.of(1).wallet_micros > left:
        raise InsufficientBalanceError(
            "the available balance does not pay the call's first increment: recharge first"
        )
    # A call never gets cheaper as it lasts longer, so the longest affordable one can be halved for.
    low, high = 1, most - 1
    while low < high:
        middle = (low + high + 1) // 2
        if prices.of(middle).wallet_micros <= left:
            low = middle
        else:
            high = middle - 1
    return prices.of(low)


def _lasts(destination: Destination, most: int) -> timedelta:
    """From now until the covered usage has ended at the latest."""
    return ANSWER_TAKES + timedelta(seconds=most if destination.unit.is_timed else 0)


class _Prices:
    """Prices a call at every tariff and with every set of lots that it may meet."""

    def __init__(
        self,
        account: Account,
        gone: Mapping[str, int],
        tariffs: tuple[Tariff, ...],
        destination: Destination,
        begins_at: datetime,
        ends_at: datetime,
    ) -> None:
        self._destination = destination
        self._key = UsageKey(destination.direction, destination.to_number)
        self._tariffs = tuple(_distinct(tariffs, destination))
        self._lots = tuple(
            (moment, _left(turning.at(account, moment).grants, gone))
            for moment in _moments(account, begins_at, ends_at)
        )

    def of(self, quantity: int) -> Cover:
        wallet_micros = full_micros = 0
        grants: dict[str, int] = {}
        granted: list[int] = []
        to = self._destination
        for tariff in self._tariffs:
            rated = rate_usage(
                tariff.deck, to.unit, to.direction, to.to_number, quantity, tariff.answered_at
            )
            full_micros = max(full_micros, rated.cost_micros)
            for moment, lots in self._lots:
                burned = burn(lots, to.unit, rated.billed_quantity, moment, self._key)
                paid = rate_remaining(rated, burned.granted).wallet_micros
                wallet_micros = max(wallet_micros, paid)
                granted.append(burned.granted)
                for lot, part in burned.parts:
                    grants[lot] = max(grants.get(lot, 0), part)
        parts = tuple(sorted(grants.items()))
        return Cover(quantity, wallet_micros, parts, min(granted), full_micros)


def _distinct(tariffs: tuple[Tariff, ...], destination: Destination) -> Iterator[Tariff]:
    """The first, and the others that differ in what the call costs.

    A later one without a price would charge nothing: such a call waits in the quarantine.
    """
    yield tariffs[0]
    seen = {_priced(tariffs[0], destination)}
    for tariff in tariffs[1:]:
        with suppress(DestinationNotRatedError):
            one = _priced(tariff, destination)
            if one not in seen and one.rate.treatment is not Treatment.UNPRICED:
                seen.add(one)
                yield tariff


class _Priced(NamedTuple):
    rate: Rate
    rounding: Rounding
    decimals: int


def _priced(tariff: Tariff, destination: Destination) -> _Priced:
    rate = rate_now((tariff,), destination)
    return _Priced(replace(rate, window=None), tariff.deck.rounding, tariff.deck.decimals)


def _moments(account: Account, begins_at: datetime, ends_at: datetime) -> list[datetime]:
    """From each of them to the next, the same lots serve."""
    turns = {account.period.end_at, *(lot.expires_at for lot in account.grants)}
    later = sorted(at for at in turns if at is not None and begins_at < at <= ends_at)
    return [begins_at, *later]


def _taken(account: Account, covers: Iterable[Cover]) -> tuple[int, Mapping[str, int]]:
    """What others have set aside: of the wallet, and of each lot.

    Where the lots of a cover have been used up by calls that were posted before it, the call will
    be charged to the wallet, and counts as if it had been covered so.
    """
    # The next period's lots are there as soon as it turns, and some covers count on them.
    next_lots = turning.at(account, account.period.end_at).grants
    pool = {lot.grant_id: lot for lot in (*next_lots, *account.grants)}
    taken_micros = 0
    gone: dict[str, int] = {}
    for cover in covers:
        parts = {
            name: part if lot.unlimited else min(part, lot.remaining - gone.get(name, 0))
            for name, part in cover.grants
            if (lot := pool.get(name)) is not None
        }
        is_short = sum(parts.values()) < cover.granted
        taken_micros += cover.full_micros if is_short else cover.wallet_micros
        # What is left of its lots is not there for others either: it will burn it.
        for name, part in parts.items():
            gone[name] = gone.get(name, 0) + part
    return taken_micros, gone


def _left(grants: tuple[Grant, ...], gone: Mapping[str, int]) -> tuple[Grant, ...]:
    """The lots without what other calls have set aside."""
    return tuple(
        lot
        if lot.unlimited or lot.grant_id not in gone
        else replace(lot, remaining=max(0, lot.remaining - gone[lot.grant_id]))
        for lot in grants
    )
