"""What a debit that is asked for may take of a wallet (docs/authorisation.md)."""

from datetime import timedelta

import pytest

from billing.domain.covering import Cover, Destination
from billing.domain.reservations import Holds, Reservation, reservation_id
from billing.domain.spendable import spendable_micros
from billing.domain.units import Direction, Unit
from builders import ACME, NOON, USD, an_account

US = Destination(Unit.VOICE_SECONDS, Direction.OUTBOUND, "+14155550100")


def holding(*dollars: int, minutes: int = 10) -> Holds:
    """So much is set aside for calls in progress, each under a reservation of its own."""
    reservations = (
        Reservation(
            reservation_id(ACME, f"call-{number}"),
            f"call-{number}",
            US,
            Cover(600, amount * USD),
            NOON,
            NOON + timedelta(minutes=minutes),
        )
        for number, amount in enumerate(dollars)
    )
    return Holds(ACME, 1, tuple(reservations))


@pytest.mark.parametrize(
    ("dollars", "left"),
    [
        pytest.param((), 20, id="no call"),
        pytest.param((6,), 14, id="one"),
        pytest.param((6, 3, 3), 8, id="all of them together"),
        pytest.param((15, 15), 0, id="never below zero"),
    ],
)
def test_what_every_call_in_progress_has_set_aside_is_kept_from_a_debit(
    dollars: tuple[int, ...], left: int
) -> None:
    account = an_account(wallet_micros=20 * USD)
    assert spendable_micros(account, holding(*dollars), NOON) == left * USD


def test_what_was_set_aside_is_there_again_once_its_reservation_has_expired() -> None:
    account = an_account(wallet_micros=20 * USD)
    holds = holding(6, 3)
    expiry = NOON + timedelta(minutes=10)
    assert spendable_micros(account, holds, expiry - timedelta(seconds=1)) == 11 * USD
    assert spendable_micros(account, holds, expiry) == 20 * USD


def test_a_debt_can_be_spent_by_nobody() -> None:
    account = an_account(wallet_micros=-5 * USD)
    assert spendable_micros(account, holding(), NOON) == 0
