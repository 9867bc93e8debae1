"""A payment gateway with a temper: it declines, it times out, and it forgets keys after a day."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import TypeVar

from billing.adapters.gateways.sandbox import (
    DECLINES,
    EXPIRED,
    NAME,
    SUCCEEDS,
    TIMES_OUT_AFTER_CHARGING,
    TIMES_OUT_WITHOUT_CHARGING,
    SandboxCharge,
)
from billing.domain.errors import PaymentUnknownError
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
    """The gateway's own: it has no part in its customers' faults."""

    def __init__(self, clock: SkewedClock) -> None:
        self._clock = clock

    def now(self) -> datetime:
        return self._clock.true_now


class FickleGateway:
    """The sandbox, with each payment's behaviour drawn from the seed. Implements Gateway."""

    name = NAME

    def __init__(self, clock: SkewedClock, random: Random) -> None:
        self.is_calm = False
        self.silent_until = clock.true_now
        self._sandbox = InMemorySandbox(_TrueClock(clock))
        self._clock = clock
        self._random = random
        self._asked_at: dict[str, list[datetime]] = {}
        self._tempers: dict[str, str] = {}
        self._on_their_way: list[ChargeRequest] = []

    def charge(self, request: ChargeRequest) -> Outcome:
        known = self._known_as(request.idempotency_key)
        tempered = replace(request, idempotency_key=known)
        if request.method is PaymentMethod.CARD:
            tempered = replace(tempered, source_token=self._temper(known))
        if self._is_silent() or (not self.is_calm and self._random.random() < LANDS_LATE):
            if self._random.random() < 0.5:
                self._on_their_way.append(tempered)
            raise PaymentUnknownError("the gateway does not answer")
        return self._sandbox.charge(tempered)

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
        self._speak()
        return self._sandbox.refund(request)

    def find_refund(self, request: RefundRequest) -> Refunded | RefundRefused | None:
        self._speak()
        return self._sandbox.find_refund(request)

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
        for request in landing:
            try:
                self._sandbox.charge(request)
            except PaymentUnknownError:
                continue
        return len(landing)

    def captured(self) -> list[SandboxCharge]:
        """Its own book: everything it has collected."""
        return self._sandbox.captured()

    def _speak(self) -> None:
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


def _captured_or_last(outcomes: Sequence[T]) -> T:
    captured = [outcome for outcome in outcomes if isinstance(outcome, Captured)]
    return captured[0] if captured else outcomes[-1]
