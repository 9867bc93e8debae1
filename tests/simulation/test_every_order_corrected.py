"""All 720 orders of five calls and a carrier's correction of one of them, each said more than once.

docs/ledger.md, "Corrections", promises no one balance: what a corrected call gives back is there
for calls to come, and other calls are not charged again. What holds of every order is asserted of
all, and that a call that was longer than first said costs the same whenever that is told.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from billing.domain.errors import NotFoundError
from billing.domain.ledger import EntryKind
from billing.domain.usage import CorrectionSource, UsageEvent
from simulation.counting import increments
from simulation.deliveries import Delivery, Left, deliver, left
from simulation.every_order import ORDERS, Prepared, Used, with_duplicates
from simulation.tenants import SITES

SITE = SITES[0]
GRANTED = 1_800 + 600
"""Of its plan, with what rolled over."""

CALLS = (
    Used(timedelta(hours=8), seconds=1_000),
    Used(timedelta(hours=9), seconds=700),
    Used(timedelta(hours=9)),
    Used(timedelta(hours=7), seconds=650),
    Used(timedelta(hours=10), seconds=620),
)
"""They exhaust the grants, whatever the first of them is corrected to."""

CORRECTION = len(CALLS)


def outcomes(seconds: int) -> Iterator[Left]:
    """What each order leaves, if the first call turns out to have been as long as that."""
    prepared = Prepared(SITE, crosses_turn=False)
    events = [used.event(number, prepared.turn) for number, used in enumerate(CALLS)]
    corrected = replace(events[0], quantity=seconds)
    for order in ORDERS:
        prepared.put_back()
        is_known = False
        for delivery in with_duplicates(order):
            for number in delivery.calls:
                if number == CORRECTION:
                    is_known = is_corrected(prepared, corrected)
                else:
                    deliver(prepared.world, SITE, events, [Delivery((number,), delivery.is_again)])
        # Who was told that there is no such call says it again.
        assert is_known or is_corrected(prepared, corrected)
        assert is_corrected(prepared, corrected), "said once more, it changes nothing"
        prepared.assert_posted_once(events)
        entries = list(prepared.world.book.entries(prepared.account()))
        assert sum(entry.kind is EntryKind.REVERSAL for entry in entries) == 1
        standing = prepared.world.book.current_calls(
            SITE.ref.tenant_id, [event.key for event in events]
        )
        assert standing[corrected.key].event.quantity == seconds
        assert [call.event for call in standing.values() if call.revision == 0] == events[1:]
        yield left(prepared.world, SITE)


def is_corrected(prepared: Prepared, event: UsageEvent) -> bool:
    try:
        prepared.world.correct_usage.correct(SITE.ref, event, CorrectionSource.CARRIER)
    except NotFoundError:
        prepared.world.surprises.clear()
        return False
    return True


def billed(*seconds: int) -> int:
    tariff = SITE.tariff
    first, step = tariff.first_increment_seconds, tariff.next_increment_seconds
    return sum(increments(one, first, step) for one in seconds)


def test_a_call_that_was_longer_than_said_leaves_one_account_in_720_orders() -> None:
    found = list(outcomes(1_500))
    assert len(found) == 720
    assert all(outcome == found[0] for outcome in found)
    seconds = billed(1_500, *(used.seconds for used in CALLS[1:]))
    assert found[0].wallet_micros == -(seconds - GRANTED) * SITE.tariff.second_micros


def test_a_call_that_was_shorter_than_said_leaves_720_sound_accounts_though_not_one() -> None:
    found = list(outcomes(40))
    wallets = {outcome.wallet_micros for outcome in found}
    assert len(found) == 720
    assert len(wallets) > 1
    seconds = billed(40, *(used.seconds for used in CALLS[1:]))
    least = max(0, seconds - GRANTED) * SITE.tariff.second_micros
    given_back = (billed(CALLS[0].seconds) - billed(40)) * SITE.tariff.second_micros
    assert all(least <= -wallet <= least + given_back for wallet in wallets)
    assert {outcome.totals.voice_seconds for outcome in found} == {seconds}
