"""All 720 orders of six events, with duplicates among them, posted by the real handler.

What docs/rating.md ("Any order, one balance") and docs/ledger.md promise is asserted of every
order; where they promise nothing, two orders are asserted to differ.
"""

from collections.abc import Callable, Iterator, Sequence

import pytest

from billing.domain.decks import deck_digest, parse_deck, serialise_deck
from billing.domain.usage import UsageEvent
from billing.ports import DeckVersion
from simulation.counting import increments
from simulation.deliveries import Left, left
from simulation.every_order import ORDERS, SIX, Prepared, Used
from simulation.tenants import SITES, Site

EAST, FAR_EAST, MAIN = SITES

SECONDS = {EAST.ref: 1_800 + 600, FAR_EAST.ref: 1_800, MAIN.ref: 900 + 900 + 300}
"""What the plans of the simulated catalogue grant in a period, with what rolled over."""

MESSAGES = {EAST.ref: 10 + 10, FAR_EAST.ref: 0, MAIN.ref: 0}


def events_of(prepared: Prepared) -> list[UsageEvent]:
    return [used.event(number, prepared.turn) for number, used in enumerate(SIX)]


def outcomes(prepared: Prepared) -> Iterator[Left]:
    for _ in prepared.orders_of(events_of(prepared)):
        yield left(prepared.world, prepared.site)


def billed(site: Site, used: Sequence[Used]) -> int:
    tariff = site.tariff
    return sum(
        increments(one.seconds, tariff.first_increment_seconds, tariff.next_increment_seconds)
        for one in used
    )


def paid(site: Site, *periods: Sequence[Used]) -> int:
    """The formula of docs/rating.md, which names no order; each period has grants of its own."""
    seconds = sum(max(0, billed(site, used) - SECONDS[site.ref]) for used in periods)
    messages = sum(used.messages for used in SIX) - MESSAGES[site.ref]
    fees = sum(used.seconds > 0 for used in SIX) * site.tariff.connect_fee_micros
    tariff = site.tariff
    return fees + seconds * tariff.second_micros + max(0, messages) * tariff.message_micros


def test_at_one_price_720_orders_across_a_turn_leave_one_account(
    record_property: Callable[[str, object], None],
) -> None:
    """The plan carries nothing over, which is what this takes."""
    found = list(outcomes(Prepared(FAR_EAST, crosses_turn=True)))
    assert len(found) == len(ORDERS) == 720
    assert all(outcome == found[0] for outcome in found)
    assert found[0].wallet_micros == -paid(FAR_EAST, SIX[:4], SIX[4:])
    record_property("figures", f"one price: {len(found)} orders of six events left one account")


@pytest.mark.parametrize("site", [EAST, MAIN], ids=lambda site: str(site.ref))
def test_at_one_price_720_orders_within_a_period_leave_one_account(site: Site) -> None:
    """Of plans that carry over, the one with 60/60, the other with a connect fee."""
    found = list(outcomes(Prepared(site, crosses_turn=False)))
    assert len(found) == 720
    assert all(outcome == found[0] for outcome in found)
    assert found[0].wallet_micros == -paid(site, SIX)


def test_across_a_turn_with_rollover_720_orders_leave_sound_accounts_though_not_one() -> None:
    """docs/ledger.md: a call of the new period may burn it before a late call that would have."""
    prepared = Prepared(EAST, crosses_turn=True)
    wallets = set()
    for _ in prepared.orders_of(events_of(prepared)):
        wallet_micros, _, totals, _ = left(prepared.world, EAST)
        assert (totals.voice_seconds, totals.messages) == (billed(EAST, SIX), 12)
        seconds = totals.voice_seconds - totals.granted_voice_seconds
        messages = totals.messages - totals.granted_messages
        tariff = EAST.tariff
        cost = seconds * tariff.second_micros + messages * tariff.message_micros
        assert wallet_micros == -cost
        wallets.add(wallet_micros)
    assert len(wallets) > 1


CHEAP, DEAR = "+14155550123", "+442079460123"

TWO_RATES = """\
unit,direction,prefix,destination,rate,connect_fee,first_increment_seconds,next_increment_seconds
voice,any,1,Cheap,1.000001,0,30,6
voice,any,44,Dear,7.000003,0.5,1,1
message,any,1,Cheap,0.25,0,,
"""
"""Neither rate is a whole number of micros a second: what is rounded depends on the order too."""

DEAREST_MICROS = 7_000_003


def sell_at_two_rates(prepared: Prepared) -> None:
    body = serialise_deck(parse_deck(TWO_RATES))
    at = prepared.world.decks_effective_at
    version = DeckVersion(
        deck_id=prepared.site.deck_id,
        version=2,
        currency=prepared.site.currency,
        effective_at=at,
        rounding="up",
        decimals=6,
        digest=deck_digest(body),
        rates=3,
        uploaded_at=at,
    )
    prepared.world.remote.decks.store(version, body)


def test_at_mixed_prices_720_orders_burn_the_same_seconds_and_bill_each_call_once(
    record_property: Callable[[str, object], None],
) -> None:
    """Money differs by no more than docs/rating.md says, and does differ."""
    prepared = Prepared(FAR_EAST, crosses_turn=True)
    sell_at_two_rates(prepared)
    # Of the two that share a grant, one is dear.
    to = (DEAR, CHEAP, DEAR, CHEAP, CHEAP, DEAR)
    events = [one.event(number, prepared.turn, to[number]) for number, one in enumerate(SIX)]
    keys = [event.key for event in events]
    seconds, wallets, shares = set(), [], []
    for _ in prepared.orders_of(events):
        wallet_micros, lots, totals, _ = left(prepared.world, FAR_EAST)
        calls = prepared.world.book.calls(FAR_EAST.ref.tenant_id, keys)
        billed_seconds = tuple(calls[key].billed_quantity for key in keys)
        seconds.add((totals.voice_seconds, totals.granted_voice_seconds, billed_seconds, lots))
        assert wallet_micros == -sum(call.wallet_micros for call in calls.values())
        wallets.append(wallet_micros)
        shares.append([sum(burned for _, burned in calls[key].granted) for key in keys])
    assert len(seconds) == 1
    assert len(set(wallets)) > 1
    record_property("figures", f"mixed prices: {len(wallets)} orders of six events burned the same")
    for wallet_micros, share in zip(wallets, shares, strict=True):
        moved = [abs(one - first) for one, first in zip(share, shares[0], strict=True)]
        # In sixtieths of a micro: a second is at most a sixtieth of the dearest minute.
        bound = sum(by * DEAREST_MICROS + 60 for by in moved if by)
        assert 60 * abs(wallet_micros - wallets[0]) < bound or wallet_micros == wallets[0]
