"""Rated: what one call or message costs, who pays, and the arithmetic line by line."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from billing.domain.money import MICROS
from billing.domain.pricing import Rounding, sixtieths
from billing.domain.rates import Rate, Treatment
from billing.domain.units import Unit


class LineKind(StrEnum):
    WINDOW = "window"
    FREE = "free"
    CONNECT_FEE = "connect_fee"
    FIRST_INCREMENT = "first_increment"
    NEXT_INCREMENTS = "next_increments"
    TIER = "tier"
    MESSAGES = "messages"
    METERED = "metered"
    GRANTED = "granted"
    ROUNDING = "rounding"
    COST_CAP = "cost_cap"


@dataclass(frozen=True, slots=True)
class RatedLine:
    """One step of the arithmetic. The amounts add up to what the wallet pays, to the last digit.

    Args:
        kind: For programs.
        label: For people.
        quantity: Seconds or messages; 1 for a connect fee, 0 for window, rounding and cap.
        amount: Decimal string in the deck's currency, at most eight decimals.
    """

    kind: LineKind
    label: str
    quantity: int
    amount: str


@dataclass(frozen=True, slots=True)
class Rated:
    """What one call or message costs, who pays, and everything needed to explain it.

    Args:
        quantity: As it was used, before increments.
        billed_quantity: Seconds after increments, or messages; 0 at a free destination.
        granted_quantity: The part of the billed quantity, its first, that grants paid for.
        cost_micros: The price of the whole call.
        wallet_micros: The part of it that the wallet pays.
        time_zone: Whose clocks the rate's window means.
    """

    unit: Unit
    rate: Rate
    deck_id: str
    deck_version: int
    rounding: Rounding
    decimals: int
    quantity: int
    billed_quantity: int
    granted_quantity: int
    cost_micros: int
    wallet_micros: int
    time_zone: str

    @property
    def lines(self) -> tuple[RatedLine, ...]:
        """The arithmetic, built when asked for: posting a call does not need it."""
        return tuple(_explain(self))


def _explain(rated: Rated) -> Iterator[RatedLine]:
    rate = rated.rate
    if rated.quantity and rate.window:
        label = f"Answered within {rate.window} ({rated.time_zone})"
        yield RatedLine(LineKind.WINDOW, label, 0, "0")
    if rated.quantity and rate.treatment is Treatment.FREE:
        yield RatedLine(LineKind.FREE, "Free destination", rated.quantity, "0")
    exact = shown = 0  # Sixtieths and hundredths of a micro, summed over the lines so far.
    for kind, label, quantity, part in _exact_lines(rated):
        exact += part
        # A third of a micro has no decimal form. Cutting the running sum, not each line, keeps the
        # column exact whenever the whole is.
        running = exact * 5 // 3
        yield RatedLine(kind, label, quantity, _decimal(running - shown))
        shown = running
    if difference := rated.wallet_micros * 100 - shown:
        yield _last_line(rated, difference, exact)


def _last_line(rated: Rated, difference: int, exact: int) -> RatedLine:
    """What brings the exact sum to what the wallet pays: the cap, if it did, or the rounding."""
    cap = rated.rate.cap_micros
    if cap is not None and 60 * cap < exact:
        label = f"Cost cap of {price_text(cap)} per call"
        return RatedLine(LineKind.COST_CAP, label, 0, _decimal(difference))
    label = f"Rounded {rated.rounding.value} to {rated.decimals} decimals"
    return RatedLine(LineKind.ROUNDING, label, 0, _decimal(difference))


def _exact_lines(rated: Rated) -> Iterator[tuple[LineKind, str, int, int]]:
    rate, unit, billed = rated.rate, rated.unit, rated.billed_quantity
    if billed == 0:
        return
    if rate.connect_fee_micros:
        yield LineKind.CONNECT_FEE, "Connect fee", 1, 60 * rate.connect_fee_micros
    if unit == Unit.MESSAGES:
        yield LineKind.MESSAGES, "Messages", billed, sixtieths(rate, unit, 0, billed)
    elif not unit.is_timed:
        yield LineKind.METERED, unit.value, billed, sixtieths(rate, unit, 0, billed)
    elif rate.tiers:
        yield from _tier_lines(rate, billed)
    else:
        yield from _increment_lines(rate, billed)
    if granted := rated.granted_quantity:
        yield LineKind.GRANTED, "Paid by grants", -granted, -sixtieths(rate, unit, 0, granted)


def _increment_lines(rate: Rate, billed: int) -> Iterator[tuple[LineKind, str, int, int]]:
    first, step = rate.first_increment_seconds, rate.next_increment_seconds
    label = f"First increment of {first} s"
    yield LineKind.FIRST_INCREMENT, label, first, first * rate.rate_micros
    if further := billed - first:
        label = f"Further increments of {step} s: {further // step}"
        yield LineKind.NEXT_INCREMENTS, label, further, further * rate.rate_micros


def _tier_lines(rate: Rate, billed: int) -> Iterator[tuple[LineKind, str, int, int]]:
    starts = (0, *(tier.after_seconds for tier in rate.tiers))
    rates = (rate.rate_micros, *(tier.rate_micros for tier in rate.tiers))
    for start, stop, rate_micros in zip(starts, (*starts[1:], billed), rates, strict=True):
        if seconds := min(stop, billed) - start:
            label = f"Seconds {start + 1} to {start + seconds} at {price_text(rate_micros)}/min"
            yield LineKind.TIER, label, seconds, seconds * rate_micros
        if stop >= billed:
            return


def price_text(micros: int) -> str:
    """A price in its shortest spelling."""
    units, fraction = divmod(micros, MICROS)
    return f"{units}.{fraction:06d}".rstrip("0").rstrip(".")


def _decimal(hundredths: int) -> str:
    whole, fraction = divmod(abs(hundredths), 10**8)
    text = f"{whole}.{fraction:08d}".rstrip("0").rstrip(".")
    return f"-{text}" if hundredths < 0 else text
