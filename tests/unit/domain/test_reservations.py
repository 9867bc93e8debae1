"""What may begin, for how long, and what is set aside for it (docs/authorisation.md)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.domain.account import Account, PlanFeatures
from billing.domain.authorising import (
    LONGEST_SECONDS,
    MAX_RESERVATIONS,
    REPORT_TAKES,
    SLICE_SECONDS,
    CallWanted,
    authorise,
    extend,
)
from billing.domain.covering import ANSWER_TAKES, Destination, Tariff, possible_answers
from billing.domain.decks import parse_deck
from billing.domain.errors import (
    ConcurrencyLimitReachedError,
    ConflictError,
    DestinationBlockedError,
    DestinationNotRatedError,
    InsufficientBalanceError,
    InvalidInputError,
    NegativeBalanceError,
    NoRateDeckError,
)
from billing.domain.grants import Grant, Scope
from billing.domain.posting import RatedUsage, post_usage
from billing.domain.rating import RateDeck, Rounding, rate_usage
from billing.domain.reservations import (
    Holds,
    Reservation,
    account_of,
    link,
    posted,
    release,
    reservation_id,
)
from billing.domain.units import Direction, Unit
from billing.domain.usage import CallKey, CallStatus, UsageEvent
from builders import ACME, GLOBEX, NOON, USD, a_call_key, an_account

RATES = """\
unit,direction,prefix,destination,rate,connect_fee,first_increment_seconds,next_increment_seconds,treatment
voice,any,1,North America,0.60,0,1,1,
voice,any,44,United Kingdom,0.90,0.25,60,6,
voice,any,800,Toll-free,,,,,free
voice,any,900,Premium,6.00,0,60,60,blocked
voice,any,979,Premium of others,,,,,blocked
voice,inbound,49,Germany,1.20,0,1,1,
message,outbound,1,North America,0.05,,,,
"""
US = Destination(Unit.VOICE_SECONDS, Direction.OUTBOUND, "+14155550100")
UK = Destination(Unit.VOICE_SECONDS, Direction.OUTBOUND, "+442079460000")
FREE = Destination(Unit.VOICE_SECONDS, Direction.OUTBOUND, "+80012345678")
TEXT = Destination(Unit.MESSAGES, Direction.OUTBOUND, "+14155550100")
CENT = USD // 100
NOTHING = Holds(ACME)


def a_deck(csv: str = RATES, version: int = 1, effective_at: datetime = NOON) -> RateDeck:
    return RateDeck("standard", version, "USD", effective_at, Rounding.UP, 6, parse_deck(csv))


DECK = a_deck()


def tariffs(at: datetime = NOON, deck: RateDeck = DECK) -> tuple[Tariff, ...]:
    return tuple(Tariff(deck, then) for _, then in possible_answers([deck], at))


def with_wallet(micros: int, **overrides: Any) -> Account:
    """Without grants, unless they are given."""
    return an_account(**{"grants": (), "wallet_micros": micros, **overrides})


def a_lot(remaining: int, name: str = "bundle", **overrides: Any) -> Grant:
    lot = Grant(name, Unit.VOICE_SECONDS, remaining, remaining, 100, NOON, None)
    return replace(lot, **overrides)


def wanted(to: Destination = US, call_id: str = "call", seconds: int | None = None) -> CallWanted:
    return CallWanted(call_id, to, seconds)


def made(
    account: Account, to: Destination = US, holds: Holds = NOTHING, **more: Any
) -> Reservation:
    now = more.pop("now", NOON)
    _, reservation = authorise(account, holds, tariffs(now), wanted(to, **more), now)
    return reservation


def holding(account: Account, *calls: CallWanted, now: datetime = NOON) -> Holds:
    holds = NOTHING
    for call in calls:
        holds, _ = authorise(account, holds, tariffs(now), call, now)
    return holds


def test_a_call_is_covered_for_ten_minutes_at_its_own_price() -> None:
    found = made(with_wallet(100 * USD), UK)
    assert found.cover.seconds == SLICE_SECONDS == 600
    assert found.cover.wallet_micros == 9 * USD + 25 * CENT
    assert found.expires_at == NOON + timedelta(minutes=2 + 10 + 10)


@pytest.mark.parametrize(
    ("micros", "seconds"),
    [
        pytest.param(115 * CENT, 60, id="connect fee and first increment"),
        pytest.param(124 * CENT - 1, 60, id="a micro less than the next increment"),
        pytest.param(124 * CENT, 66, id="one more increment"),
        pytest.param(9 * USD + 25 * CENT, 600, id="all that is asked for"),
    ],
)
def test_a_call_lasts_as_long_as_the_money_does(micros: int, seconds: int) -> None:
    assert made(with_wallet(micros), UK).cover.seconds == seconds


def test_connect_fee_and_first_increment_are_the_least() -> None:
    with pytest.raises(InsufficientBalanceError):
        made(with_wallet(115 * CENT - 1), UK)


def test_nothing_that_costs_anything_begins_on_a_debt() -> None:
    with pytest.raises(NegativeBalanceError):
        made(with_wallet(-1, grants=(a_lot(600),)))
    assert NegativeBalanceError.code == "insufficient_balance"


@pytest.mark.parametrize("micros", [0, -1, -100 * USD], ids=["zero", "a micro below", "a debt"])
def test_a_free_destination_always_passes(micros: int) -> None:
    assert made(with_wallet(micros), FREE).cover.wallet_micros == 0


def test_grants_go_first_and_pay_for_no_connect_fee() -> None:
    account = with_wallet(25 * CENT, grants=(a_lot(120),))
    found = made(account, UK)
    assert (found.cover.seconds, found.cover.grants) == (120, (("bundle", 120),))
    assert found.cover.wallet_micros == 25 * CENT


def test_what_others_have_set_aside_is_not_there() -> None:
    account = with_wallet(8 * USD, grants=(a_lot(100),))
    holds = holding(account, wanted(call_id="first"))
    assert holds.reserved_micros(NOON) == 5 * USD
    assert holds.reservations[0].cover.grants == (("bundle", 100),)
    second = made(account, holds=holds, call_id="second")
    assert (second.cover.seconds, second.cover.wallet_micros) == (300, 3 * USD)
    both = holding(account, wanted(call_id="first"), wanted(call_id="second"))
    with pytest.raises(InsufficientBalanceError):
        made(account, holds=both, call_id="third")


def test_unlimited_minutes_cover_everybody() -> None:
    account = with_wallet(0, grants=(a_lot(0, unlimited=True),))
    holds = holding(account, *(wanted(call_id=f"{number}") for number in range(5)))
    assert [one.cover.seconds for one in holds.reservations] == [600] * 5


def test_a_scope_pays_for_what_it_covers() -> None:
    account = with_wallet(0, grants=(a_lot(600, scope=Scope(Direction.OUTBOUND, ("1",))),))
    assert made(account).cover.seconds == 600
    with pytest.raises(InsufficientBalanceError):
        made(account, UK)


def test_inbound_calls_cost_what_the_called_number_says() -> None:
    taken = Destination(Unit.VOICE_SECONDS, Direction.INBOUND, "+4930123456")
    assert made(with_wallet(100 * USD), taken).cover.wallet_micros == 12 * USD
    with pytest.raises(DestinationNotRatedError):
        made(with_wallet(100 * USD), replace(taken, direction=Direction.OUTBOUND))


def test_a_message_costs_one() -> None:
    found = made(with_wallet(5 * CENT), TEXT)
    assert (found.cover.seconds, found.cover.wallet_micros) == (1, 5 * CENT)
    with pytest.raises(InsufficientBalanceError):
        made(with_wallet(5 * CENT - 1), TEXT)


@pytest.mark.parametrize("to", ["+9795550100", "+9005550100"])
def test_a_blocked_destination_is_refused_priced_or_not(to: str) -> None:
    with pytest.raises(DestinationBlockedError):
        made(with_wallet(100 * USD), replace(US, to_number=to))


def test_where_there_is_no_price_there_is_no_call() -> None:
    with pytest.raises(DestinationNotRatedError):
        made(with_wallet(100 * USD), replace(US, to_number="+33123456789"))


@pytest.mark.parametrize("seconds", [0, LONGEST_SECONDS + 1])
def test_a_duration_has_bounds(seconds: int) -> None:
    with pytest.raises(InvalidInputError) as refused:
        made(with_wallet(USD), seconds=seconds)
    assert refused.value.field == "duration_seconds"


def test_asking_again_answers_the_same_and_changes_nothing() -> None:
    account = with_wallet(5 * USD)
    holds = holding(account, wanted())
    later = NOON + timedelta(minutes=5)
    again, found = authorise(with_wallet(0), holds, tariffs(later), wanted(seconds=30), later)
    assert again is holds
    assert found == holds.reservations[0]


def test_a_call_id_is_good_for_one_call() -> None:
    holds = holding(with_wallet(50 * USD), wanted())
    with pytest.raises(ConflictError):
        made(with_wallet(50 * USD), UK, holds)


def test_what_has_expired_counts_for_nothing_and_is_dropped() -> None:
    account = with_wallet(6 * USD)
    holds = holding(account, wanted(call_id="old"))
    (old,) = holds.reservations
    just_before = old.expires_at - timedelta(microseconds=1)
    with pytest.raises(InsufficientBalanceError):
        made(account, holds=holds, call_id="new", now=just_before)
    after, new = authorise(
        account, holds, tariffs(old.expires_at), wanted(call_id="new"), old.expires_at
    )
    assert after.reservations == (new,)
    assert after.version == holds.version + 1
    assert holds.reserved_micros(old.expires_at) == 0


def test_a_plan_allows_so_many_calls_at_once() -> None:
    account = with_wallet(100 * USD)
    plan = replace(account.plan, features=PlanFeatures(concurrent_calls=2))
    account = replace(account, plan=plan)
    holds = holding(account, wanted(call_id="1"), wanted(TEXT, "text"), wanted(FREE, "2"))
    with pytest.raises(ConcurrencyLimitReachedError):
        made(account, FREE, holds, call_id="3")
    assert made(account, TEXT, holds, call_id="another text").cover.seconds == 1
    assert made(account, holds=holds, call_id="1") == holds.reservations[0]
    freed = release(holds, [reservation_id(ACME, "1")], NOON)
    assert made(account, holds=freed, call_id="3").cover.seconds == 600


def test_an_account_has_so_many_at_once() -> None:
    account = with_wallet(0)
    (one,) = holding(account, wanted(FREE)).reservations
    full = Holds(
        ACME,
        1,
        tuple(replace(one, reservation_id=f"res_{n}") for n in range(MAX_RESERVATIONS)),
    )
    with pytest.raises(ConcurrencyLimitReachedError):
        made(account, FREE, full, call_id="one more")


def test_the_dearest_price_of_the_next_two_minutes_is_set_aside() -> None:
    csv = (
        "#time_zone,UTC\n"
        "prefix,destination,rate,first_increment_seconds,next_increment_seconds,window\n"
        "1,North America,0.60,1,1,\n"
        "1,North America,1.20,1,1,mon-sun 12:02-13:00\n"
    )
    deck = a_deck(csv)
    ringing, early = NOON, NOON - timedelta(seconds=1)
    for now, cost in ((ringing, 12 * USD), (early, 6 * USD)):
        at = tariffs(now, replace(deck, effective_at=early))
        _, found = authorise(with_wallet(99 * USD), NOTHING, at, wanted(), now)
        assert found.cover.wallet_micros == cost


def test_a_deck_that_takes_effect_while_it_rings_counts_too() -> None:
    dearer = a_deck(RATES.replace("0.60", "6.00"), 2, NOON + ANSWER_TAKES)
    answers = possible_answers([DECK, dearer], NOON)
    at = tuple(Tariff(deck, then) for deck, then in answers)
    _, found = authorise(with_wallet(99 * USD), NOTHING, at, wanted(), NOON)
    assert found.cover.wallet_micros == 60 * USD
    with pytest.raises(NoRateDeckError):
        possible_answers([dearer], NOON)


def test_a_lot_that_expires_before_the_call_may_end_pays_for_nothing() -> None:
    lot = a_lot(10_000, expires_at=NOON + ANSWER_TAKES + timedelta(seconds=600))
    found = made(with_wallet(99 * USD, grants=(lot,)))
    assert found.cover.wallet_micros == 6 * USD
    assert found.cover.grants == (("bundle", 600),)
    longer = replace(lot, expires_at=NOON + ANSWER_TAKES + timedelta(seconds=601))
    assert made(with_wallet(0, grants=(longer,))).cover.wallet_micros == 0


def test_minutes_of_the_next_period_cover_a_call_across_its_turn() -> None:
    eve = datetime(2026, 3, 31, 23, 55, tzinfo=UTC)
    account = an_account(now=NOON)
    found = made(replace(account, wallet_micros=0), now=eve)
    assert found.cover.seconds == 600
    assert [lot for lot, _ in found.cover.grants] == [
        "minutes:20260314T1200Z",
        "minutes:20260401T0000Z",
    ]


def test_a_call_whose_minutes_were_burned_by_another_counts_at_its_full_price() -> None:
    account = with_wallet(9 * USD, grants=(a_lot(300),))
    holds = holding(account, wanted(call_id="a"), wanted(call_id="b"))
    assert holds.reserved_micros(NOON) == 9 * USD
    # The second is posted first, and burns what the first one has set aside.
    burned = with_wallet(6 * USD, grants=(a_lot(0, total=300),))
    left = release(holds, [reservation_id(ACME, "b")], NOON)
    with pytest.raises(InsufficientBalanceError):
        made(burned, holds=left, call_id="c")
    richer = replace(burned, wallet_micros=6 * USD + CENT)
    assert made(richer, holds=left, call_id="c").cover.seconds == 1


def test_what_is_left_of_the_minutes_of_such_a_call_is_nobody_elses() -> None:
    holds = holding(with_wallet(3 * USD, grants=(a_lot(300),)), wanted(call_id="a"))
    burned = with_wallet(3 * USD, grants=(a_lot(299, total=300),))
    with pytest.raises(InsufficientBalanceError):
        made(burned, holds=holds, call_id="b", seconds=1)


def test_extending_covers_more_of_the_same_call() -> None:
    account = with_wallet(20 * USD)
    holds = holding(account, wanted(UK))
    (standing,) = holds.reservations
    later = NOON + timedelta(minutes=9)
    after, longer = extend(account, holds, tariffs(NOON), standing, 1_200, later)
    assert longer.cover.wallet_micros == 18 * USD + 25 * CENT
    assert longer.expires_at == standing.expires_at + timedelta(seconds=600)
    assert (
        longer.expires_at - longer.reserved_at
        == ANSWER_TAKES + timedelta(seconds=1_200) + REPORT_TAKES
    )
    assert after.reservations == (longer,)
    again, same = extend(account, after, tariffs(NOON), longer, 1_200, later)
    assert again is after
    assert same == longer


def test_an_extension_goes_as_far_as_the_money_and_takes_nothing_back() -> None:
    account = with_wallet(8 * USD)
    holds = holding(account, wanted(call_id="a"))
    (standing,) = holds.reservations
    _, longer = extend(account, holds, tariffs(), standing, 3_600, NOON)
    assert longer.cover.seconds == 800
    for poorer in (with_wallet(2 * USD), with_wallet(-USD)):
        assert extend(poorer, holds, tariffs(), standing, 3_600, NOON) == (holds, standing)


def test_a_message_is_not_extended() -> None:
    account = with_wallet(USD)
    holds = holding(account, wanted(TEXT))
    with pytest.raises(InvalidInputError):
        extend(account, holds, tariffs(), holds.reservations[0], 60, NOON)


def test_freeing_what_is_not_there_or_has_expired_changes_nothing() -> None:
    holds = holding(with_wallet(10 * USD), wanted())
    (one,) = holds.reservations
    assert release(holds, ["res_nobody"], NOON) is holds
    assert release(holds, [one.reservation_id], one.expires_at) is holds
    freed = release(holds, [one.reservation_id], NOON)
    assert freed == Holds(ACME, holds.version + 1)


def test_a_posted_call_frees_what_it_was_linked_to() -> None:
    account = with_wallet(100 * USD)
    holds = holding(account, wanted(call_id="a"), wanted(call_id="b"), wanted(call_id="c"))
    linked = link(holds, holds.reservations[0], a_call_key(1), NOON)
    assert linked.version == holds.version + 1
    assert posted(linked, [a_call_key(1), a_call_key(2)]) == (reservation_id(ACME, "a"),)
    standing = linked.find(reservation_id(ACME, "a"), NOON)
    assert standing is not None
    assert link(linked, standing, a_call_key(1), NOON) is linked


def test_a_call_the_dialler_reports_itself_needs_no_link() -> None:
    holds = holding(with_wallet(100 * USD), wanted(call_id="a"), wanted(call_id="b"))
    assert posted(holds, [CallKey("api", "urn:dialler", "b")]) == (reservation_id(ACME, "b"),)
    assert posted(holds, [CallKey("twilio", "urn:dialler", "b")]) == ()


def test_a_name_tells_its_account_and_nothing_else() -> None:
    name = reservation_id(ACME, "call")
    assert account_of("acme", name) == ACME
    assert name != reservation_id(GLOBEX, "call")
    for forged in ("", "res_", name + "#x", name.upper(), "res_zz_main", name + "\n"):
        assert account_of("acme", forged) is None


def an_ended_call(to: Destination, seconds: int) -> UsageEvent:
    return UsageEvent(
        key=a_call_key(seconds),
        unit=to.unit,
        direction=to.direction,
        from_number="+14155550199",
        to_number=to.to_number,
        status=CallStatus.COMPLETED,
        quantity=seconds,
        answered_at=NOON,
        ended_at=NOON + timedelta(seconds=seconds),
        connection_id="twilio-1",
    )


@pytest.mark.parametrize("to", [US, UK, FREE], ids=["by the second", "in increments", "free"])
@pytest.mark.parametrize("seconds", [1, 59, 60, 61, 599, 600, 601, 3_599])
@pytest.mark.parametrize("lots", [(), (a_lot(30),), (a_lot(30), a_lot(600, "another"))])
def test_a_call_of_the_covered_length_is_charged_what_was_set_aside(
    to: Destination, seconds: int, lots: tuple[Grant, ...]
) -> None:
    account = with_wallet(100 * USD, grants=lots)
    cover = made(account, to, seconds=seconds).cover
    rated = rate_usage(DECK, to.unit, to.direction, to.to_number, seconds, NOON)
    event = an_ended_call(to, seconds)
    change = post_usage(account, [RatedUsage(event, rated)], event.ended_at)
    (call,) = change.calls
    assert cover.seconds == seconds
    assert cover.wallet_micros == call.wallet_micros
    assert dict(cover.grants) == dict(call.granted)
