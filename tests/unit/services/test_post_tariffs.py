"""Posting by a full tariff: windows by the answer, scoped grants, free and blocked destinations."""

from datetime import UTC, datetime, timedelta

import pytest

from billing.domain.account import AccountRef, PlanTerms
from billing.domain.decks import deck_digest, parse_deck, serialise_deck
from billing.domain.grants import RecurringGrant, Scope
from billing.domain.ledger import prove
from billing.domain.opening import new_account, open_account
from billing.domain.records import Operation, OperationState, Tenant
from billing.domain.units import Direction, Unit
from billing.domain.usage import Call, CallKey, CallStatus, UsageEvent
from billing.ports import DeckVersion
from billing.services.change_account import ChangeAccount
from billing.services.change_holds import ChangeHolds
from billing.services.post_usage import PostUsage
from billing.services.settle_reservations import SettleReservations
from fakes.book import InMemoryBook
from fakes.reservations import InMemoryReservations
from fakes.stores import InMemoryDecks, InMemoryQuarantine
from fakes.world import FixedClock

ACME = AccountRef("acme", "main")
OPENED = datetime(2026, 3, 1, tzinfo=UTC)
MONDAY_EVENING = datetime(2026, 3, 2, 17, tzinfo=UTC)  # 18:00 in Berlin.
DECK = """\
#time_zone,Europe/Berlin
prefix,destination,rate,first_increment_seconds,next_increment_seconds,tiers,treatment,window
44,UK,0.60,1,1,,,
44,UK,0.06,1,1,,,mon-fri 18:00-24:00
49,Germany,0.60,1,1,0.06@60,,
1800,Toll-free,,,,,free,
1900,Premium,6.00,1,1,,blocked,
1976,Worse,,,,,blocked,
"""
GERMANY = Scope(prefixes=("49",))


class World:
    """One account, one deck, and everything that posting needs."""

    def __init__(self, *grants: RecurringGrant) -> None:
        self.book = InMemoryBook()
        self.quarantine = InMemoryQuarantine()
        self.decks = InMemoryDecks()
        self.clock = FixedClock(OPENED)
        self.post_usage = PostUsage(
            book=self.book,
            decks=self.decks,
            quarantine=self.quarantine,
            clock=self.clock,
            change_account=ChangeAccount(self.book, self.clock),
            settle_reservations=SettleReservations(
                self.book, self.clock, ChangeHolds(InMemoryReservations())
            ),
        )
        account = new_account(
            ACME,
            currency="EUR",
            time_zone="UTC",
            billing_day=1,
            plan=PlanTerms("starter", 1, grants),
            rate_deck="retail",
            now=OPENED,
        )
        operation = Operation(
            operation_id="open",
            body_hash="",
            account=ACME,
            state=OperationState.SUCCEEDED,
            answer=None,
            recorded_at=OPENED,
        )
        tenant = Tenant("acme", "Acme", OPENED)
        self.book.commit(open_account(account, "Main", operation, tenant, OPENED))
        body = serialise_deck(parse_deck(DECK))
        self.decks.store(
            DeckVersion(
                "retail", 1, "EUR", OPENED, "up", 6, deck_digest(body), body.count("\n"), OPENED
            ),
            body,
        )

    def post(
        self, number: str, seconds: int, answered_at: datetime = MONDAY_EVENING
    ) -> Call | None:
        """Post one call; None if it was parked."""
        ended_at = answered_at + timedelta(seconds=seconds)
        self.clock.advance(ended_at - self.clock.now())
        event = UsageEvent(
            key=CallKey("twilio", "AC1", f"CA{self.book.account(ACME).head.sequence}"),
            unit=Unit.VOICE_SECONDS,
            direction=Direction.OUTBOUND,
            from_number="+493012345",
            to_number=number,
            status=CallStatus.COMPLETED,
            quantity=seconds,
            answered_at=answered_at,
            ended_at=ended_at,
            connection_id="acme-twilio",
        )
        self.post_usage.post(ACME, [event])
        return self.book.calls("acme", [event.key]).get(event.key)


@pytest.mark.parametrize(
    ("answered_at", "wallet_micros"),
    [
        pytest.param(MONDAY_EVENING - timedelta(seconds=1), 1_200_000, id="answered by day"),
        pytest.param(MONDAY_EVENING, 120_000, id="answered in the evening"),
    ],
)
def test_the_whole_call_has_the_price_of_the_window_it_was_answered_in(
    answered_at: datetime, wallet_micros: int
) -> None:
    call = World().post("+442079460000", 120, answered_at)
    assert call is not None
    assert call.wallet_micros == wallet_micros


def test_a_scoped_grant_pays_for_the_first_seconds_of_its_destination_alone() -> None:
    world = World(RecurringGrant("german", Unit.VOICE_SECONDS, 90, scope=GERMANY))
    abroad, at_home = world.post("+442079460000", 60), world.post("+493012345", 120)
    assert abroad is not None
    assert at_home is not None
    assert (abroad.granted, abroad.wallet_micros) == ((), 60_000)
    assert at_home.granted == (("german:20260301T0000Z", 90),)
    assert (at_home.cost_micros, at_home.wallet_micros) == (660_000, 30_000)
    account = world.book.account(ACME)
    assert prove(account, world.book.entries(account)).is_sound


def test_an_unlimited_grant_pays_for_every_call_within_its_scope() -> None:
    grant = RecurringGrant("german", Unit.VOICE_SECONDS, 0, scope=GERMANY, unlimited=True)
    world = World(grant)
    for _ in range(3):
        call = world.post("+493012345", 4_000)
        assert call is not None
        assert (call.granted[0][1], call.wallet_micros) == (4_000, 0)
    assert world.book.account(ACME).totals.granted_voice_seconds == 12_000


def test_a_free_call_is_kept_and_burns_nothing() -> None:
    world = World(RecurringGrant("minutes", Unit.VOICE_SECONDS, 600))
    call = world.post("+18005550100", 300)
    assert call is not None
    assert (call.prefix, call.billed_quantity, call.granted, call.wallet_micros) == (
        "1800", 0, (), 0,
    )  # fmt: skip


def test_a_blocked_call_that_happened_is_charged_or_waits_for_a_price() -> None:
    world = World()
    charged = world.post("+19005550100", 60)
    assert charged is not None
    assert charged.wallet_micros == 6_000_000
    assert world.post("+19765550100", 60) is None
    (parked,) = world.quarantine.parked(None, 10)
    assert parked.reason == "destination_blocked"
