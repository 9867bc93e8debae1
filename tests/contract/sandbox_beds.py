"""The sandbox as a bed: in memory, in moto, and in the local cloud."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

import pytest

from billing.adapters.gateways.sandbox import (
    DECLINES,
    EXPIRED,
    NAME,
    NEEDS_ACTION,
    STOLEN,
    SUCCEEDS,
    UPI_DECLINES,
    UPI_SUCCEEDS,
    SandboxBook,
    SandboxGateway,
)
from billing.adapters.gateways.sandbox_table import TableSandboxBook, sandbox_items
from billing.adapters.gateways.sandbox_webhooks import SandboxWebhooks, signed_request
from billing.domain.callbacks import WebhookRequest
from billing.domain.errors import PaymentUnknownError
from billing.domain.gateway_events import GatewayEventKind
from billing.domain.payments import PaymentMethod
from billing.ports import Gateway, GatewayWebhooks
from contract.aws import NOON, in_cloud, moto
from contract.gateway_beds import Behaviour, Capability, GatewayBed, Truth
from fakes.world import FixedClock, InMemorySandboxBook

TOKENS = {
    Behaviour.SUCCEEDS: SUCCEEDS,
    Behaviour.INSUFFICIENT_FUNDS: DECLINES,
    Behaviour.EXPIRED_CARD: EXPIRED,
    Behaviour.STOLEN: STOLEN,
    Behaviour.NEEDS_ACTION: NEEDS_ACTION,
    Behaviour.UPI_SUCCEEDS: UPI_SUCCEEDS,
    Behaviour.UPI_DECLINES: UPI_DECLINES,
}

URL = "https://billing.example.com/v1/webhooks/payments/sandbox"
MOTO_TABLE = "sandbox-in-moto"
CLOUD_TABLE = "sandbox-in-the-cloud"
SECRET = "whsec_dGhlIHNhbmRib3gncyBvd24gc2VjcmV0LCBmb3IgdGVzdHM="

P = ParamSpec("P")
T = TypeVar("T")


class _Forgetful:
    """Stands in for a gateway, and loses the next answer when told to."""

    def __init__(self, behind: SandboxGateway) -> None:
        self.loses_after_doing: bool | None = None
        self._behind = behind

    def __getattr__(self, attribute: str) -> Any:
        member = getattr(self._behind, attribute)
        return self._perhaps_lost(member) if callable(member) else member

    def _perhaps_lost(self, call: Callable[P, T]) -> Callable[P, T]:
        @wraps(call)
        def asked(*args: P.args, **kwargs: P.kwargs) -> T:
            loses, self.loses_after_doing = self.loses_after_doing, None
            if loses is None:
                return call(*args, **kwargs)
            if loses:
                call(*args, **kwargs)
            raise PaymentUnknownError("the answer was lost")

        return asked


class SandboxBed:
    """A sandbox with an empty book. Implements GatewayBed."""

    name = NAME
    webhook_secret = SECRET
    customer: str | None = None

    def __init__(self, book: SandboxBook, lacks: frozenset[Capability] = frozenset()) -> None:
        self.lacks = lacks
        self.webhooks: GatewayWebhooks = SandboxWebhooks()
        self._clock = FixedClock(NOON)
        self._sandbox = SandboxGateway(book, self._clock)
        self._line = _Forgetful(self._sandbox)
        self.gateway = cast(Gateway, self._line)

    def now(self) -> datetime:
        return self._clock.now()

    def advance(self, by: timedelta) -> None:
        self._clock.advance(by)

    def token(self, behaviour: Behaviour) -> str:
        return TOKENS[behaviour]

    def lose_answer(self, *, after_doing: bool) -> None:
        self._line.loses_after_doing = after_doing

    def captured(self) -> Sequence[Truth]:
        return [
            Truth(
                charge.payment_id,
                charge.amount_minor,
                charge.currency,
                charge.metadata,
                charge.refunded_minor,
            )
            for charge in self._sandbox.captured()
        ]

    def approve(self, payment_id: str) -> None:
        self._sandbox.approve(payment_id)

    def abandon(self, payment_id: str) -> None:
        self._sandbox.turn_down(payment_id)

    def finish_setup(self, setup_id: str, method: PaymentMethod, *, ok: bool = True) -> None:
        if not ok:
            self._sandbox.fail_setup(setup_id)
            return
        # With a name of its own: only such a source can be forgotten or revoked.
        behaviour = UPI_SUCCEEDS if method is PaymentMethod.UPI else SUCCEEDS
        self._sandbox.finish_setup(setup_id, f"{behaviour}.{setup_id}")

    def revoke(self, token: str) -> None:
        self._sandbox.revoke_source(token)

    def dispute(self, payment_id: str) -> str:
        return self._sandbox.dispute(payment_id)

    def close_dispute(self, dispute_id: str, *, won: bool) -> None:
        self._sandbox.close_dispute(dispute_id, won=won)

    def refund_elsewhere(self, payment_id: str, amount_minor: int) -> None:
        self._sandbox.refund_elsewhere(payment_id, amount_minor)

    def fail_refund(self, refund_id: str) -> None:
        self._sandbox.fail_refund(refund_id)

    def requests(self, kind: GatewayEventKind) -> Sequence[WebhookRequest]:
        """Signed anew at every call, as every attempt to deliver one is."""
        return [
            signed_request(event, self.webhook_secret, URL, self.now())
            for event in self._sandbox.events()
            if event.kind is kind
        ]


@contextmanager
def sandbox_in_memory(request: pytest.FixtureRequest) -> Iterator[GatewayBed]:
    yield SandboxBed(InMemorySandboxBook())


@contextmanager
def sandbox_in_moto(request: pytest.FixtureRequest) -> Iterator[GatewayBed]:
    """One thread at a time: moto loses updates otherwise."""
    with moto():
        yield SandboxBed(_emptied(MOTO_TABLE), frozenset({Capability.AT_ONCE}))


@contextmanager
def sandbox_in_cloud(request: pytest.FixtureRequest) -> Iterator[GatewayBed]:
    with in_cloud(request.getfixturevalue("cloud")):
        yield SandboxBed(_emptied(CLOUD_TABLE))


def _emptied(table_name: str) -> SandboxBook:
    """An empty book under a name that stays: its client, made once, takes longer than any test."""
    items = sandbox_items(table_name)
    if items.exists():
        for item in items.scan(consistent_read=True):
            item.delete()
    else:
        items.create_table(wait=True, billing_mode="PAY_PER_REQUEST")
    return TableSandboxBook(table_name)
