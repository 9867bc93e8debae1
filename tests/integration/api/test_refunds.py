"""Giving a payment back over HTTP: by the operator, once per key, and audited."""

from datetime import timedelta
from typing import Any

import pytest

from api.routes import ENDPOINTS
from billing.domain import disputing
from billing.domain.errors import PaymentUnknownError
from billing.ports import Refunded, RefundRefused, RefundRequest
from builders import a_usage_event
from fakes.world import FixedClock, InMemorySandbox
from integration.api.client import (
    ACME,
    ADMIN,
    MEMBER,
    NOW,
    OPERATOR,
    RECHARGE,
    Reply,
    World,
    seeded,
)

KEYED = {"Talktime-Tenant": "acme", "Idempotency-Key": "k"}
PART = {"amount": {"amount": "10.00", "currency": "USD"}}


class FlakyRefunds(InMemorySandbox):
    """A sandbox whose next answers to refunds are lost, after it made them or before."""

    lost_before = 0
    lost_after = 0
    crashes = 0

    def refund(self, request: RefundRequest) -> Refunded | RefundRefused:
        if self.crashes:
            self.crashes -= 1
            raise OSError("the machine went away")
        if self.lost_before:
            self.lost_before -= 1
            raise PaymentUnknownError("lost on the way there")
        outcome = super().refund(request)
        if self.lost_after:
            self.lost_after -= 1
            raise PaymentUnknownError("lost on the way back")
        return outcome


class Paid:
    """An account that has paid 25 USD."""

    def __init__(self) -> None:
        self.gateway = FlakyRefunds(FixedClock(NOW))
        self.world: World = seeded(self.gateway)
        self.world.add_source()
        self.payment = self.pay("first")

    def pay(self, key: str) -> str:
        headers = {"Idempotency-Key": key}
        path = "/v1/accounts/main/recharges"
        found = self.world.call("POST", path, RECHARGE, token=ADMIN, headers=headers)
        assert found.status == 201, found
        return str(found.body["payment_id"])

    def refund(self, body: Any = None, key: str = "k", payment: str | None = None) -> Reply:
        path = f"/v1/accounts/main/payments/{payment or self.payment}/refunds"
        headers = {**KEYED, "Idempotency-Key": key}
        return self.world.call("POST", path, body or {}, token=OPERATOR, headers=headers)

    def show(self, payment: str | None = None) -> Reply:
        path = f"/v1/accounts/main/payments/{payment or self.payment}"
        return self.world.call("GET", path, token=ADMIN)

    @property
    def balance(self) -> str:
        found = self.world.call("GET", "/v1/accounts/main", token=ADMIN)
        return str(found.body["balance"]["settled"]["amount"])


@pytest.fixture
def paid() -> Paid:
    return Paid()


def test_all_of_a_payment_is_given_back_where_no_amount_is_said(paid: Paid) -> None:
    found = paid.refund({"reason": "Paid twice"})
    assert found.status == 201
    assert found.body == {
        "refund": 1,
        "payment": paid.payment,
        "gateway": "sandbox",
        "state": "succeeded",
        "amount": {"amount": "25.00", "currency": "USD"},
        "refund_id": f"{paid.payment}_r1",
        "failure_code": None,
        "started_at": "2026-03-14T12:00:00Z",
        "settled_at": "2026-03-14T12:00:00Z",
    }
    assert paid.balance == "0.00"
    assert paid.world.call("GET", "/v1/accounts/main/ledger/verify", token=ADMIN).body["is_sound"]


def test_a_payment_is_shown_with_what_was_given_back_of_it(paid: Paid) -> None:
    first = paid.refund(PART).body
    found = paid.show()
    assert found.status == 200
    assert found.body == {
        "payment": paid.payment,
        "gateway": "sandbox",
        "recharge": 1,
        "source": found.body["source"],
        "amount": {"amount": "25.00", "currency": "USD"},
        "refunded": {"amount": "10.00", "currency": "USD"},
        "disputed": {"amount": "0.00", "currency": "USD"},
        "refundable": {"amount": "15.00", "currency": "USD"},
        "captured_at": "2026-03-14T12:00:00Z",
        "refunds": [first],
        "disputes": [],
    }
    assert found.body["source"]


def test_a_payment_is_shown_with_its_disputes(paid: Paid) -> None:
    book = paid.world.book
    payment = book.payment(ACME, "sandbox", paid.payment)
    opened = disputing.open_dispute(
        book.account(ACME), payment, "dp-1", 5_000_000, "fraudulent", NOW
    )
    assert opened is not None
    book.commit(opened)
    found = paid.show().body
    assert (found["disputed"]["amount"], found["refundable"]["amount"]) == ("5.00", "20.00")
    (dispute,) = found["disputes"]
    assert (dispute["dispute"], dispute["state"], dispute["code"]) == (
        "dp-1",
        "open",
        "fraudulent",
    )


def test_the_same_request_again_is_one_refund(paid: Paid) -> None:
    first = paid.refund(PART)
    before = paid.world.book.account(ACME)
    again = paid.refund(PART)
    assert (again.status, again.body) == (201, first.body)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    assert paid.world.book.account(ACME) == before
    assert paid.refund().code == "idempotency_key_reused"


def test_a_key_is_good_for_one_payment(paid: Paid) -> None:
    second = paid.pay("second")
    paid.refund()
    assert paid.refund(payment=second).code == "idempotency_key_reused"
    assert paid.refund(key="other", payment=second).status == 201


def test_a_key_that_has_paid_is_another_where_it_gives_back(paid: Paid) -> None:
    found = paid.refund(key="first")
    assert (found.status, "idempotency-replayed" in found.headers) == (201, False)
    assert paid.balance == "0.00"


def test_it_is_audited_with_its_reason(paid: Paid) -> None:
    paid.refund({**PART, "reason": "The customer's ticket 4711"})
    (record,) = (
        r for r in paid.world.book.audit_records(ACME) if r.action == "payment.refund_requested"
    )
    assert record.actor == "vendor-operator"
    assert record.after == {
        "payment": paid.payment,
        **PART,
        "reason": "The customer's ticket 4711",
    }


@pytest.mark.parametrize("lost", ["lost_before", "lost_after"])
def test_without_the_gateways_answer_the_operation_says_how_it_stands(
    paid: Paid, lost: str
) -> None:
    setattr(paid.gateway, lost, 1)
    found = paid.refund(PART)
    assert (found.status, found.body["state"]) == (202, "unknown")
    assert found.body["refund"]["state"] == "unknown"
    assert paid.balance == "15.00", "nobody can talk it away meanwhile"
    location = found.headers["location"].removeprefix("https://billing.example.com")
    assert paid.world.call("GET", location, token=ADMIN).body == found.body
    assert paid.refund(PART).status == 202

    paid.world.talktime.refund_payment.finish_open(ACME)
    shown = paid.world.call("GET", location, token=ADMIN).body
    assert (shown["state"], shown["refund"]["state"]) == ("succeeded", "succeeded")
    replayed = paid.refund(PART)
    assert (replayed.status, replayed.body) == (201, shown["refund"])
    assert [one.refunded_minor for one in paid.gateway.captured()] == [1_000]


def test_what_a_crash_left_is_finished_by_the_same_request_later(paid: Paid) -> None:
    paid.gateway.crashes = 1
    assert paid.refund(PART).status == 500
    found = paid.refund(PART)
    assert (found.status, found.code) == (409, "request_in_flight")
    paid.world.clock.advance(timedelta(seconds=31))
    found = paid.refund(PART)
    assert (found.status, found.body["state"]) == (201, "succeeded")
    assert [one.refunded_minor for one in paid.gateway.captured()] == [1_000]


def test_an_answer_is_repeated_for_thirty_days(paid: Paid) -> None:
    paid.refund(PART)
    paid.world.clock.advance(timedelta(days=30))
    assert paid.refund(PART).status == 201
    paid.world.clock.advance(timedelta(seconds=1))
    assert paid.refund(PART).code == "idempotency_key_expired"
    assert paid.balance == "15.00"


def test_a_refund_the_gateway_refuses_is_answered_so_every_time(paid: Paid) -> None:
    paid.gateway.refund_elsewhere(paid.payment, 2_000)
    for _ in range(2):
        found = paid.refund(PART)
        assert (found.status, found.code) == (409, "refund_refused")
        assert found.body["refund"]["failure_code"] == "exceeds_payment"
    assert found.headers["idempotency-replayed"] == "true"
    assert paid.balance == "25.00"


def test_what_was_talked_away_cannot_be_given_back(paid: Paid) -> None:
    paid.world.post_usage(ACME, a_usage_event(1, NOW, quantity=1_200))
    found = paid.refund()
    assert (found.status, found.code) == (409, "insufficient_balance")
    assert "19.00 USD can be given back" in found.body["detail"], found.body
    amount = {"amount": "19.00", "currency": "USD"}
    assert paid.refund({"amount": amount}, key="less").status == 201


def test_never_more_than_is_left_of_the_payment(paid: Paid) -> None:
    paid.pay("more money in the wallet")
    paid.refund(PART)
    found = paid.refund({"amount": {"amount": "15.01", "currency": "USD"}}, key="more")
    assert (found.status, found.code) == (422, "exceeds_payment")
    assert "15.00 USD" in found.body["detail"]
    assert found.body["errors"][0]["pointer"] == "/amount"
    assert paid.refund(key="rest").body["amount"]["amount"] == "15.00"
    assert paid.refund(key="nothing left").code == "exceeds_payment"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"amount": {"amount": "0.00", "currency": "USD"}}, "invalid_input"),
        ({"amount": {"amount": "-1.00", "currency": "USD"}}, "invalid_input"),
        ({"amount": {"amount": "1.001", "currency": "USD"}}, "invalid_input"),
        ({"amount": {"amount": "1.00", "currency": "EUR"}}, "currency_mismatch"),
        ({"amount": "1.00"}, "invalid_input"),
        ({"reason": ""}, "invalid_input"),
        ({"gateway": "another"}, "not_found"),
        ({"gateway": "no gateway's name"}, "invalid_input"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    paid: Paid, body: dict[str, Any], code: str
) -> None:
    before = paid.world.book.account(ACME)
    assert paid.refund(body).code == code
    assert paid.world.book.account(ACME) == before


@pytest.mark.parametrize("payment", ["pay_of_nobody", "a%20b", "%23", "x" * 300])
def test_a_payment_that_does_not_exist_is_not_found(paid: Paid, payment: str) -> None:
    assert paid.show(payment).status == 404
    assert paid.refund(payment=payment).status == 404


def test_the_gateway_may_be_named(paid: Paid) -> None:
    path = f"/v1/accounts/main/payments/{paid.payment}"
    assert paid.world.call("GET", path, token=ADMIN, gateway="sandbox").status == 200
    assert paid.world.call("GET", path, token=ADMIN, gateway="another").status == 404
    assert paid.refund({"gateway": "sandbox"}).status == 201


def test_only_the_operator_gives_back_and_members_see_no_payment(paid: Paid) -> None:
    (refund,) = (e for e in ENDPOINTS if e.name == "post_refund")
    path = refund.path.format(acct="main", payment=paid.payment)
    key = {"Idempotency-Key": "k"}
    assert paid.world.call("POST", path, {}, token=ADMIN, headers=key).code == "forbidden"
    path = path.removesuffix("/refunds")
    assert paid.world.call("GET", path, token=MEMBER).code == "forbidden"
