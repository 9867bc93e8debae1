"""Charges, contracts and invoices paid by hand over HTTP."""

from typing import Any

import pytest

from billing.adapters.gateways.sandbox import DECLINES, SUCCEEDS
from billing.domain.documents import Invoice
from billing.domain.records import AuditRecord
from integration.api.client import ACCEPTANCE, ACME, ADMIN, OPERATOR, SOURCE, Reply, World

ACCOUNT = "/v1/accounts/default"
KEY = {"Idempotency-Key": "k"}
TENANT = {"Talktime-Tenant": "acme"}
AS_OPERATOR = {**TENANT, **KEY}


def money(amount: str, currency: str = "USD") -> dict[str, str]:
    return {"amount": amount, "currency": currency}


TRAINING = {"text": "Training", "amount": money("500.00")}
ON_SITE = {"text": "Travel", "amount": money("99.99")}


@pytest.fixture
def world() -> World:
    made = World()
    made.seed()
    return made


def charge(world: World, *lines: Any, headers: dict[str, str] | None = None, **kept: Any) -> Reply:
    body = {"lines": list(lines), **kept}
    sent = {**AS_OPERATOR, **(headers or {})}
    return world.call("POST", f"{ACCOUNT}/charges", body, token=OPERATOR, headers=sent)


def invoices(world: World) -> list[Invoice]:
    return world.book.things(ACME, Invoice)


def pay(world: World, pay_with: dict[str, Any], number: int = 1, key: str = "p") -> Reply:
    return world.call(
        "POST",
        f"{ACCOUNT}/invoices/{number}/pay",
        {"pay_with": pay_with, "acceptance": ACCEPTANCE},
        token=ADMIN,
        headers={"Idempotency-Key": key},
    )


def a_source(world: World, token: str = SUCCEEDS) -> str:
    added = world.call(
        "POST",
        f"{ACCOUNT}/funding-sources",
        {**SOURCE, "token": token},
        token=ADMIN,
        headers={"Idempotency-Key": f"add {token}"},
    )
    source: str = added.body["source"]
    return source


def audited(world: World, action: str) -> list[AuditRecord]:
    return [one for one in world.book.audit_records(ACME) if one.action == action]


def test_a_charge_is_invoiced_at_once_and_audited(world: World) -> None:
    made = charge(world, TRAINING, ON_SITE)
    assert (made.status, made.body["invoice"], made.body["total"]) == (201, 1, money("599.99"))
    (invoice,) = invoices(world)
    assert [line.text for line in invoice.lines] == ["Training", "Travel"]
    assert invoice.state == "open"
    (record,) = audited(world, "charges.made")
    assert record.after["lines"] == [{**TRAINING, "tax": None}, {**ON_SITE, "tax": None}]


def test_the_same_charge_again_is_answered_and_charged_once(world: World) -> None:
    first, again = charge(world, TRAINING), charge(world, TRAINING)
    assert again.body == first.body
    assert again.headers["idempotency-replayed"] == "true"
    assert len(invoices(world)) == 1
    assert charge(world, ON_SITE).body["code"] == "idempotency_key_reused"


def test_a_charge_may_wait_for_the_next_invoice(world: World) -> None:
    made = charge(world, TRAINING, invoice="next")
    assert made.body["invoice"] is None
    assert invoices(world) == []


@pytest.mark.parametrize(
    ("line", "pointer"),
    [
        pytest.param({**TRAINING, "amount": money("0.00")}, "/lines/0/amount", id="nothing"),
        pytest.param({**TRAINING, "amount": money("-1.00")}, "/lines/0/amount", id="a gift"),
        pytest.param({**TRAINING, "amount": money("1.005")}, "/lines/0/amount", id="half a cent"),
        pytest.param({**TRAINING, "tax": "luxury"}, "/lines/0/tax", id="a tax nobody knows"),
        pytest.param(
            {**TRAINING, "amount": money("1.00", "EUR")},
            "/lines/0/amount/currency",
            id="another currency",
        ),
    ],
)
def test_what_cannot_be_charged_says_which_field(world: World, line: Any, pointer: str) -> None:
    refused = charge(world, line)
    assert refused.status == 422
    assert [one["pointer"] for one in refused.body["errors"]] == [pointer]
    assert invoices(world) == []


def test_an_open_invoice_is_paid_from_a_source(world: World) -> None:
    charge(world, TRAINING)
    source = a_source(world)
    paid = pay(world, {"source": source})
    assert (paid.status, paid.body["amount"]) == (201, money("500.00"))
    assert paid.body["recharge"]["invoice"] == 1
    assert invoices(world)[0].state == "paid"
    again = pay(world, {"source": source})
    assert again.body == paid.body
    assert pay(world, {"source": source}, key="other").body["code"] == "conflict"
    assert [one.acceptance is not None for one in audited(world, "invoice.pay_requested")] == [True]


def test_an_open_invoice_is_paid_from_the_wallet_as_far_as_it_goes(world: World) -> None:
    charge(world, TRAINING)
    assert pay(world, {"wallet": True}).body["code"] == "insufficient_balance"
    a_source(world)
    filled = {"amount": money("500.00"), "acceptance": ACCEPTANCE}
    world.call("POST", f"{ACCOUNT}/recharges", filled, token=ADMIN, headers=KEY)
    paid = pay(world, {"wallet": True}, key="again")
    assert (paid.status, paid.body["recharge"]) == (201, None)
    assert pay(world, {"wallet": True}, key="again").body == paid.body


def test_a_payment_that_is_declined_leaves_the_invoice_open(world: World) -> None:
    charge(world, TRAINING)
    refused = pay(world, {"source": a_source(world, DECLINES)})
    assert (refused.status, refused.body["code"]) == (402, "payment_declined")
    assert invoices(world)[0].state == "open"


@pytest.mark.parametrize("pay_with", [{}, {"wallet": True, "source": "src_a"}])
def test_somebody_and_nobody_else_pays(world: World, pay_with: Any) -> None:
    charge(world, TRAINING)
    refused = pay(world, pay_with)
    assert [one["pointer"] for one in refused.body["errors"]] == ["/pay_with"]


@pytest.mark.parametrize("number", [2, 0, 10**12])
def test_an_invoice_that_does_not_exist_is_not_paid(world: World, number: int) -> None:
    charge(world, TRAINING)
    assert pay(world, {"wallet": True}, number).status == 404


def contract_of(world: World) -> Reply:
    return world.call("GET", f"{ACCOUNT}/contract", token=ADMIN)


def put_contract(world: World, etag: str, **kept: Any) -> Reply:
    body = {"starts_on": "2026-01-01", "ends_on": "2027-01-01", **kept}
    sent = {**TENANT, "If-Match": etag}
    return world.call("PUT", f"{ACCOUNT}/contract", body, token=OPERATOR, headers=sent)


def test_a_contract_is_set_by_who_has_seen_the_one_before(world: World) -> None:
    none = contract_of(world)
    assert none.body["starts_on"] is None
    etag = none.headers["etag"]
    made = put_contract(world, etag, unit_commitment="contract")
    assert (made.status, made.body["unit_commitment"]) == (200, "contract")
    assert put_contract(world, etag).body["code"] == "stale_settings"
    assert contract_of(world).body == made.body
    (record,) = audited(world, "contract.set")
    assert (record.before, record.after["ends_on"]) == ({}, "2027-01-01")


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        pytest.param({"ends_on": "2026-01-01"}, "/ends_on", id="it ends as it begins"),
        pytest.param({"ends_on": "2099-01-01"}, "/ends_on", id="for a lifetime"),
        pytest.param({"minimums": {"crm": 2}}, "/minimums/crm", id="a kind that is not sold"),
    ],
)
def test_a_contract_that_cannot_be_kept_is_refused(
    world: World, changed: Any, pointer: str
) -> None:
    refused = put_contract(world, contract_of(world).headers["etag"], **changed)
    assert refused.status == 422
    assert [one["pointer"] for one in refused.body["errors"]] == [pointer]


def test_the_overview_says_how_the_account_stands_and_what_it_owes(world: World) -> None:
    charge(world, TRAINING)
    shown = world.call("GET", ACCOUNT, token=ADMIN).body
    assert (shown["standing"], shown["owed"]["total"]) == ("good", money("500.00"))
    assert [one["invoice"] for one in shown["owed"]["invoices"]] == [1]
    pay(world, {"source": a_source(world)})
    assert world.call("GET", ACCOUNT, token=ADMIN).body["owed"]["invoices"] == []
