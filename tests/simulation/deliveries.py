"""Usage on its way to an account: which calls come together, and what they leave behind."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import usage_ingest.post
from billing.adapters.queues import group_of
from billing.domain.account import PeriodTotals
from billing.domain.canonical import Json, canonical_json
from billing.domain.ledger import prove
from billing.domain.periods import period_after
from billing.domain.units import Direction, Unit
from billing.domain.usage import CallKey, CallStatus, UsageEvent
from simulation.queues import Message
from simulation.tenants import Site
from simulation.world import World

APART = timedelta(hours=1)
"""Between two deliveries."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Which calls come together, and whether the queue has tried before."""

    calls: tuple[int, ...]
    is_again: bool


class Left(NamedTuple):
    """What an account is left with: its wallet, its lots, its totals, what was spent on usage."""

    wallet_micros: int
    lots: tuple[tuple[str, int], ...]
    totals: PeriodTotals
    spent_micros: int


def second_turn(world: World, site: Site) -> datetime:
    """When the account's second period ends, the first that is a whole one."""
    account = world.book.account(site.ref)
    return period_after(account.period, site.billing_day, site.time_zone).end_at


def move_to(world: World, site: Site, now: datetime) -> None:
    """Let the account be in its period of ``now``, without a bill on the way."""
    # The period before the last one is used too, so it must have begun before it ends.
    for at in (now - timedelta(days=20), now):
        world.clock.advance(at - world.clock.true_now)
        world.roll_period.roll(site.ref)


def deliver(
    world: World, site: Site, events: Sequence[UsageEvent], deliveries: Sequence[Delivery]
) -> None:
    """Through the real handler, which has to take every message."""
    for number, delivery in enumerate(deliveries):
        message: dict[str, Json] = {
            "tenant": site.ref.tenant_id,
            "account": site.ref.account_id,
            "events": [events[call].to_json() for call in delivery.calls],
        }
        record = Message(
            f"usage-{number}", group_of(site.ref), canonical_json(message), 1 + delivery.is_again
        ).as_record()
        answer = usage_ingest.post.handle({"Records": [record]}, world.post_usage)
        assert answer == {"batchItemFailures": []}
        world.clock.advance(APART)


def left(world: World, site: Site) -> Left:
    """What the account is left with, and a ledger that proves it."""
    account = world.book.account(site.ref)
    proof = prove(account, world.book.entries(account))
    assert proof.is_sound, proof.problems
    grants = tuple((grant.grant_id, grant.remaining) for grant in account.grants)
    # Which day's calls the wallet paid is a matter of order; what it paid is not.
    spent = sum(micros for _, micros in account.daily_spend)
    return Left(account.wallet_micros, grants, account.totals, spent)


def call_event(
    number: int, seconds: int, ended_at: datetime, to_number: str = "+14155550123"
) -> UsageEvent:
    """An outbound call; of 0 seconds, one that nobody answered."""
    return UsageEvent(
        key=CallKey("twilio", "AC-any", f"CA{number}"),
        unit=Unit.VOICE_SECONDS,
        direction=Direction.OUTBOUND,
        from_number="+14155550100",
        to_number=to_number,
        status=CallStatus.COMPLETED if seconds else CallStatus.NO_ANSWER,
        quantity=seconds,
        answered_at=ended_at - timedelta(seconds=seconds) if seconds else None,
        ended_at=ended_at,
        connection_id="acme-twilio",
    )
