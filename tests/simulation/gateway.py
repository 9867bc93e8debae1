"""A payment gateway with a temper: it declines, it times out, and it forgets keys after a day."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from random import Random
from typing import Any, TypeVar

from billing.adapters.gateways.sandbox import (
    DECLINES,
    EXPIRED,
    NAME,
    SUCCEEDS,
    TIMES_OUT_AFTER_CHARGING,
    TIMES_OUT_WITHOUT_CHARGING,
    SandboxCharge,
)
from billing.adapters.gateways.sandbox_records import (
    DISPUTE,
    DISPUTE_END,
    REFUND,
    RefundLine,
    RefundStanding,
    named,
)
from billing.domain.errors import PaymentUnknownError
from billing.domain.gateway_events import GatewayEvent, GatewayEventKind
from billing.domain.payments import PaymentMethod
from billing.ports import (
    Captured,
    ChargeRequest,
    Outcome,
    Refunded,
    RefundRefused,
    RefundRequest,
    Setup,
    SetupFailed,
    SetupRequest,
    SourceSaved,
)
from fakes.world import InMemorySandbox
from simulation.faults import SkewedClock

T = TypeVar("T")

KEY_FORGOTTEN = timedelta(hours=24)
"""From then on the same idempotency key is a new payment, as at real gateways."""

TEMPERS = {
    SUCCEEDS: 55,
    DECLINES: 16,
    EXPIRED: 4,
    TIMES_OUT_AFTER_CHARGING: 13,
    TIMES_OUT_WITHOUT_CHARGING: 12,
}
"""How it takes a payment, in parts of a hundred."""

LANDS_LATE = 0.1
"""Charges whose caller gives up first; half of them reach it all the same, later."""


class _TrueClock:
    """The gateway's own: it has no part in its customers' faults, and never says the same twice,
    since which of two totals is the later one is told by nothing else."""

    def __init__(self, clock: SkewedClock) -> None:
        self._clock = clock
        self._said = clock.true_now

    def now(self) -> datetime:
        self._said = max(self._clock.true_now, self._said + timedelta(microseconds=1))
        return self._said


class FickleGateway:
    """The sandbox, with each payment's behaviour drawn from the seed. Implements Gateway."""

    name = NAME

    def __init__(self, clock: SkewedClock, random: Random) -> None:
        self.is_calm = False
        # What somebody else does once it has decided, before whoever asked hears of it.
        self.decided: Callable[[], None] = lambda: None
        self.silent_until = clock.true_now
        self._sandbox = InMemorySandbox(_TrueClock(clock))
        self._clock = clock
        self._random = random
        self._asked_at: dict[str, list[datetime]] = {}
        self._tempers: dict[str, str] = {}
        self._on_their_way: list[ChargeRequest | RefundRequest] = []
        self._told: set[str] = set()
        # Its book is read after every step: again only once something may have come into it.
        self._asked = 0
        self._captured: tuple[tuple[int, datetime], list[SandboxCharge]] | None = None

    def charge(self, request: ChargeRequest) -> Outcome:
        self._asked += 1
        known = self._known_as(request.idempotency_key)
        tempered = replace(request, idempotency_key=known)
        if request.method is PaymentMethod.CARD:
            token = self._temper(known) + _name_of(request.source_token)
            tempered = replace(tempered, source_token=token)
        if self._is_silent() or (not self.is_calm and self._random.random() < LANDS_LATE):
            if self._random.random() < 0.5:
                self._on_their_way.append(tempered)
            raise PaymentUnknownError("the gateway does not answer")
        outcome = self._sandbox.charge(tempered)
        self.decided()
        return outcome

    def find(self, request: ChargeRequest, payment_id: str | None = None) -> Outcome | None:
        """Looks through everything ever charged for the same payment, forgotten keys included."""
        self._speak()
        return _captured_or_last([self._sandbox.find(known) for known in self._all_known(request)])

    def cancel(self, request: ChargeRequest, payment_id: str) -> Outcome:
        self._speak()
        return _captured_or_last(
            [self._sandbox.cancel(known, payment_id) for known in self._all_known(request)]
        )

    def refund(self, request: RefundRequest) -> Refunded | RefundRefused:
        """Under a key that it has forgotten it gives back once more."""
        self._asked += 1
        known = replace(request, idempotency_key=self._known_as(request.idempotency_key))
        if self._is_silent() or (not self.is_calm and self._random.random() < LANDS_LATE):
            if self._random.random() < 0.5:
                self._on_their_way.append(known)
            raise PaymentUnknownError("the gateway does not answer")
        outcome = self._sandbox.refund(known)
        self.decided()
        return outcome

    def find_refund(self, request: RefundRequest) -> Refunded | RefundRefused | None:
        self._speak()
        found = [self._sandbox.find_refund(known) for known in self._all_refunds(request)]
        made = [outcome for outcome in found if isinstance(outcome, Refunded)]
        return made[0] if made else found[-1]

    def begin_setup(self, request: SetupRequest) -> Setup:
        self._speak()
        return self._sandbox.begin_setup(request)

    def find_setup(self, setup_id: str) -> SourceSaved | SetupFailed | None:
        self._speak()
        return self._sandbox.find_setup(setup_id)

    def forget_source(self, token: str) -> None:
        self._speak()
        self._sandbox.forget_source(token)

    def land(self) -> int:
        """What was on its way arrives; the caller has long stopped listening."""
        landing, self._on_their_way = self._on_their_way, []
        self._asked += len(landing)
        for request in landing:
            try:
                if isinstance(request, RefundRequest):
                    self._sandbox.refund(request)
                else:
                    self._sandbox.charge(request)
            except PaymentUnknownError:
                continue
        return len(landing)

    def captured(self) -> list[SandboxCharge]:
        """Its own book: everything it has collected."""
        seen = (self._asked, self._clock.true_now)
        if self._captured is None or self._captured[0] != seen:
            self._captured = (seen, self._sandbox.captured())
        return self._captured[1]

    # What people do there without us

    def finish_setup(self, setup_id: str, expires_on: date | None) -> None:
        """The customer saves a card; its token is its own, and can be forgotten."""
        self._asked += 1
        self._sandbox.finish_setup(setup_id, f"{SUCCEEDS}.{setup_id}", expires_on=expires_on)

    def fail_setup(self, setup_id: str) -> None:
        self._asked += 1
        self._sandbox.fail_setup(setup_id)

    def revoke_source(self, token: str) -> None:
        self._asked += 1
        self._sandbox.revoke_source(token)

    def refund_elsewhere(self, payment_id: str, amount_minor: int) -> str:
        self._asked += 1
        return str(self._sandbox.refund_elsewhere(payment_id, amount_minor))

    def fail_refund(self, refund_id: str) -> None:
        self._asked += 1
        self._sandbox.fail_refund(refund_id)

    def dispute(self, payment_id: str) -> None:
        self._asked += 1
        self._sandbox.dispute(payment_id)

    def close_dispute(self, dispute_id: str, *, won: bool) -> None:
        self._asked += 1
        self._sandbox.close_dispute(dispute_id, won=won)

    # Its own truth, to be told and to be compared with

    def news(self) -> list[GatewayEvent]:
        """What has happened there since this was asked last."""
        new = [one for one in self._sandbox.events() if one.event_id not in self._told]
        self._told |= {one.event_id for one in new}
        return new

    def refunds(self, payment_id: str) -> list[RefundLine]:
        """All that was ever given back of a payment, or sent back, in its order."""
        lines: list[RefundLine] = []
        while found := self._sandbox.kept.get(named(REFUND, payment_id, len(lines) + 1)):
            lines.append(RefundLine.from_document(found))
        return lines

    def standing_refunds(self, payment_id: str) -> list[RefundLine]:
        """What is given back, and was not sent back."""
        lines = self.refunds(payment_id)
        failed = {one.refund_id for one in lines if one.standing is RefundStanding.FAILED}
        made = [one for one in lines if one.standing is RefundStanding.REFUNDED]
        return [one for one in made if one.refund_id not in failed]

    def disputed(self, payment_id: str) -> tuple[str, int, GatewayEventKind] | None:
        """A payment's dispute, in minor units, and how it stands."""
        opened: Mapping[str, Any] | None = self._sandbox.kept.get(named(DISPUTE, payment_id))
        if opened is None:
            return None
        end: Mapping[str, Any] | None = self._sandbox.kept.get(named(DISPUTE_END, payment_id))
        kind = GatewayEventKind((end or opened)["kind"])
        return opened["dispute"], opened["amount_minor"], kind

    def _speak(self) -> None:
        self._asked += 1
        if self._is_silent():
            raise PaymentUnknownError("the gateway does not answer")

    def _all_known(self, request: ChargeRequest) -> list[ChargeRequest]:
        """The request under each name it was ever known as."""
        key = request.idempotency_key
        times_asked = len(self._asked_at.get(key, ()))
        return [
            replace(request, idempotency_key=f"{key}@{time}")
            for time in range(1, max(1, times_asked) + 1)
        ]

    def _all_refunds(self, request: RefundRequest) -> list[RefundRequest]:
        key = request.idempotency_key
        times = max(1, len(self._asked_at.get(key, ())))
        return [replace(request, idempotency_key=f"{key}@{time + 1}") for time in range(times)]

    def _is_silent(self) -> bool:
        return not self.is_calm and self._clock.true_now < self.silent_until

    def _known_as(self, idempotency_key: str) -> str:
        asked_at = self._asked_at.setdefault(idempotency_key, [])
        now = self._clock.true_now
        if not asked_at or now >= asked_at[-1] + KEY_FORGOTTEN:
            asked_at.append(now)
        return f"{idempotency_key}@{len(asked_at)}"

    def _temper(self, known: str) -> str:
        if known not in self._tempers:
            (drawn,) = self._random.choices(tuple(TEMPERS), tuple(TEMPERS.values()))
            self._tempers[known] = SUCCEEDS if self.is_calm else drawn
        return self._tempers[known]


def _name_of(source_token: str | None) -> str:
    """What makes a token one saved source, and not a way to behave."""
    _, dot, name = (source_token or "").partition(".")
    return dot + name


def _captured_or_last(outcomes: Sequence[T]) -> T:
    captured = [outcome for outcome in outcomes if isinstance(outcome, Captured)]
    return captured[0] if captured else outcomes[-1]
