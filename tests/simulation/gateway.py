"""A payment gateway with a temper: it declines, it times out, and it forgets keys after a day."""

from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

from billing.adapters.gateways.sandbox import (
    DECLINES,
    NAME,
    SUCCEEDS,
    TIMES_OUT_AFTER_CHARGING,
    TIMES_OUT_WITHOUT_CHARGING,
    SandboxCharge,
)
from billing.domain.errors import PaymentUnknownError
from billing.ports import Captured, ChargeRequest, Declined
from fakes.world import InMemorySandbox
from simulation.faults import SkewedClock

KEY_FORGOTTEN = timedelta(hours=24)
"""From then on the same idempotency key is a new payment, as at real gateways."""

TEMPERS = {
    SUCCEEDS: 55,
    DECLINES: 20,
    TIMES_OUT_AFTER_CHARGING: 13,
    TIMES_OUT_WITHOUT_CHARGING: 12,
}
"""How it takes a payment, in parts of a hundred."""

LANDS_LATE = 0.1
"""Charges whose caller gives up first; half of them reach it all the same, later."""


class FickleGateway:
    """The sandbox, with each payment's behaviour drawn from the seed. Implements Gateway."""

    name = NAME

    def __init__(self, clock: SkewedClock, random: Random) -> None:
        self.is_calm = False
        self.silent_until = clock.true_now
        self._sandbox = InMemorySandbox()
        self._clock = clock
        self._random = random
        self._asked_at: dict[str, list[datetime]] = {}
        self._tempers: dict[str, str] = {}
        self._on_their_way: list[ChargeRequest] = []

    def charge(self, request: ChargeRequest) -> Captured | Declined:
        known = self._known_as(request.idempotency_key)
        tempered = replace(request, idempotency_key=known, source_token=self._temper(known))
        if self._is_silent() or (not self.is_calm and self._random.random() < LANDS_LATE):
            if self._random.random() < 0.5:
                self._on_their_way.append(tempered)
            raise PaymentUnknownError("the gateway does not answer")
        return self._sandbox.charge(tempered)

    def find(self, idempotency_key: str) -> Captured | Declined | None:
        """Looks through everything ever charged for the same payment, forgotten keys included."""
        if self._is_silent():
            raise PaymentUnknownError("the gateway does not answer")
        times_asked = len(self._asked_at.get(idempotency_key, ()))
        names = [f"{idempotency_key}@{time}" for time in range(1, max(1, times_asked) + 1)]
        outcomes = [self._sandbox.find(name) for name in names]
        captured = [outcome for outcome in outcomes if isinstance(outcome, Captured)]
        return captured[0] if captured else outcomes[-1]

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
