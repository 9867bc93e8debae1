"""Phone numbers over HTTP, from the quote to the release."""

from copy import deepcopy
from typing import Any

import pytest

from billing.adapters.gateways.sandbox import DECLINES
from billing.services.renew_numbers import RenewNumbers
from integration.api.client import (
    ACCEPTANCE,
    ACME,
    ADMIN,
    CATALOG,
    DECK,
    GLOBEX_ADMIN,
    OPERATOR,
    RATES,
    SERVICE,
    SOURCE,
    Reply,
    World,
    a_tenant_body,
)

PATH = "/v1/accounts/default/numbers"
E164 = "+14155550100"
TENANT = {"Talktime-Tenant": "acme"}


class NumberWorld(World):
    """Local numbers cost $1 once and $3 a month; the wallet holds $20."""

    def __init__(self) -> None:
        super().__init__()
        catalog: dict[str, Any] = deepcopy(CATALOG)
        catalog["number_types"] = [
            {
                "number_type": "local",
                "name": "Local number",
                "capabilities": ["voice", "sms"],
                "up_front": {"USD": "1.00"},
                "recurring": {"USD": "3.00"},
            }
        ]
        catalog["plans"][0]["most_numbers"] = 2
        saved = self.call("PUT", "/v1/catalog", catalog, token=OPERATOR)
        assert saved.status == 201, saved.text
        deck = self.call(
            "PUT",
            f"/v1/rate-decks/{DECK}",
            RATES,
            token=OPERATOR,
            headers={"Content-Type": "text/csv"},
            currency="USD",
            effective_at="2026-01-01T00:00:00Z",
        )
        assert deck.status == 201, deck.text
        for tenant in ("acme", "globex"):
            opened = self.call(
                "POST",
                "/v1/tenants",
                a_tenant_body(tenant),
                token=OPERATOR,
                headers={"Idempotency-Key": tenant},
            )
            assert opened.status == 201, opened.text
        self.clock.advance(self.book.account(ACME).period.end_at - self.clock.now())
        for token in (ADMIN, GLOBEX_ADMIN):
            self.top_up(token)
        self.work()
        self.keys = 0

    def top_up(self, token: Any) -> None:
        for path, body in (
            ("funding-sources", SOURCE),
            (
                "recharges",
                {"amount": {"amount": "20.00", "currency": "USD"}, "acceptance": ACCEPTANCE},
            ),
        ):
            done = self.call(
                "POST",
                f"/v1/accounts/default/{path}",
                body,
                token=token,
                headers={"Idempotency-Key": path},
            )
            assert done.status == 201, done.text

    def work(self) -> None:
        """What the workers do once the timers have called them."""
        for ref in self.book.account_refs():
            self.talktime.bill_account.bill(ref)
            RenewNumbers(
                book=self.book,
                catalogs=self.talktime.catalogs,
                reservations=self.reservations,
                change_account=self.talktime.change_account,
                gateways=self.talktime.gateways,
                collect_recharge=self.talktime.collect_recharge,
            ).renew(ref)

    def turn(self) -> None:
        self.clock.advance(self.book.account(ACME).period.end_at - self.clock.now())
        self.work()

    def quote(self, e164: str = E164, token: Any = ADMIN, **kept: Any) -> Reply:
        want = {
            "kind": "number",
            "what": "local",
            "e164": e164,
            "capabilities": ["voice", "sms"],
            **kept,
        }
        return self.call("POST", "/v1/accounts/default/quotes", {"wants": [want]}, token=token)

    def order(
        self, e164: str = E164, token: Any = ADMIN, pay_with: Any = None, **kept: Any
    ) -> Reply:
        quoted = self.quote(e164, token, **kept)
        assert quoted.status == 201, quoted.text
        return self.place(quoted.body["quote_id"], token, pay_with)

    def place(self, quote_id: str, token: Any = ADMIN, pay_with: Any = None) -> Reply:
        self.keys += 1
        return self.call(
            "POST",
            "/v1/accounts/default/orders",
            {
                "quote_id": quote_id,
                "pay_with": pay_with or {"wallet": True},
                "acceptance": ACCEPTANCE,
            },
            token=token,
            headers={"Idempotency-Key": f"order {self.keys}"},
        )

    def operate(self, action: str, e164: str = E164) -> Reply:
        return self.call("POST", f"{PATH}/{e164}/{action}", token=OPERATOR, headers=TENANT)

    def number(self, e164: str = E164) -> Any:
        found = self.call("GET", f"{PATH}/{e164}", token=ADMIN)
        assert found.status == 200, found.text
        return found.body

    @property
    def balance(self) -> str:
        shown = self.call("GET", "/v1/accounts/default", token=ADMIN).body
        return str(shown["balance"]["settled"]["amount"])


@pytest.fixture
def world() -> NumberWorld:
    return NumberWorld()


@pytest.fixture
def on_hold(world: NumberWorld) -> NumberWorld:
    """A number whose auto-pay is off, after its period has turned."""
    assert world.order(auto_pay=False).status == 201
    assert world.operate("provisioned").status == 200
    world.turn()
    assert world.number()["state"] == "on_hold"
    return world


def test_a_quote_shows_both_fees_and_what_the_number_can_do(world: NumberWorld) -> None:
    quoted = world.quote().body
    assert quoted["up_front_fees"] == {"amount": "1.00", "currency": "USD"}
    assert quoted["due_now"] == {"amount": "4.00", "currency": "USD"}
    assert [line["kind"] for line in quoted["lines"]] == ["number_setup", "number"]
    assert world.call("GET", PATH, token=ADMIN).body["data"] == []


def test_what_a_number_can_do_has_to_be_confirmed(world: NumberWorld) -> None:
    refused = world.quote(capabilities=["voice", "fax"])
    assert (refused.status, refused.code) == (422, "invalid_input")
    assert refused.body["errors"][0]["pointer"] == "/wants/0/capabilities"


def test_an_ordered_number_waits_for_the_operator(world: NumberWorld) -> None:
    ordered = world.order()
    assert ordered.status == 201, ordered.text
    assert world.number()["state"] == "pending"
    assert world.balance == "16.00"
    (event,) = [one for one in world.book.outbox() if one.type == "number.ordered"]
    assert event.data["numbers"][0]["number"] == E164  # type: ignore[index,call-overload]
    assert world.operate("provisioned").body["state"] == "active"


def test_a_failed_number_is_credited_whole(world: NumberWorld) -> None:
    world.order()
    assert world.operate("failed").body["state"] == "failed"
    assert world.balance == "20.00"
    assert world.operate("failed").status == 200, "the second time is the first"
    assert world.balance == "20.00"
    verified = world.call("GET", "/v1/accounts/default/ledger/verify", token=ADMIN)
    assert verified.body["is_sound"] is True


def test_one_account_has_a_number_and_nobody_else(world: NumberWorld) -> None:
    assert world.order().status == 201
    taken = world.order(token=GLOBEX_ADMIN)
    assert (taken.status, taken.code) == (409, "number_taken")
    world.operate("failed")
    assert world.order(token=GLOBEX_ADMIN).status == 201


def test_a_number_that_waits_for_its_payment_is_nobody_elses_and_is_free_after_a_decline(
    world: NumberWorld,
) -> None:
    added = world.call(
        "POST",
        "/v1/accounts/default/funding-sources",
        {**SOURCE, "token": DECLINES},
        token=ADMIN,
        headers={"Idempotency-Key": "declines"},
    )
    declined = world.order(pay_with={"source": added.body["source"]})
    assert (declined.status, declined.code) == (402, "payment_declined")
    assert world.call("GET", f"{PATH}/{E164}", token=ADMIN).status == 404
    assert world.order(token=GLOBEX_ADMIN).status == 201


def test_the_plan_says_how_many_there_may_be(world: NumberWorld) -> None:
    for place in (1, 2):
        assert world.order(f"+1415555010{place}").status == 201
    refused = world.quote("+14155550103")
    assert (refused.status, refused.code) == (409, "plan_limit")


def test_a_number_on_hold_says_why_and_until_when(on_hold: NumberWorld) -> None:
    shown = on_hold.number()
    assert shown["hold_reason"] == "auto_pay_off"
    assert shown["release_at"] is not None
    assert shown["price"] == {"amount": "3.00", "currency": "USD"}


def pay(world: World, pay_with: Any, key: str = "pay", **more: Any) -> Reply:
    body = {"pay_with": pay_with, "acceptance": ACCEPTANCE, **more}
    return world.call(
        "POST", f"{PATH}/{E164}/pay", body, token=ADMIN, headers={"Idempotency-Key": key}
    )


def test_paying_brings_it_back_and_the_same_request_pays_once(on_hold: NumberWorld) -> None:
    first, again = pay(on_hold, {"wallet": True}), pay(on_hold, {"wallet": True})
    assert (first.status, first.body["state"]) == (201, "active")
    assert (again.status, again.headers["idempotency-replayed"]) == (201, "true")
    assert on_hold.balance == "13.00"


def test_a_source_can_pay(on_hold: NumberWorld) -> None:
    (source,) = on_hold.call("GET", "/v1/accounts/default/funding-sources", token=ADMIN).body[
        "data"
    ]
    paid = pay(on_hold, {"source": source["source"]})
    assert (paid.status, paid.body["state"]) == (201, "active")
    assert on_hold.balance == "16.00"


@pytest.mark.parametrize("acceptance", [None, {**ACCEPTANCE, "first_name": " "}])
def test_without_an_acceptance_nothing_is_paid(on_hold: NumberWorld, acceptance: Any) -> None:
    refused = pay(on_hold, {"wallet": True}, acceptance=acceptance)
    assert (refused.status, refused.code) == (422, "acceptance_required")
    assert on_hold.number()["state"] == "on_hold"


def test_auto_pay_is_switched_with_an_acceptance(world: NumberWorld) -> None:
    world.order()
    path = f"{PATH}/{E164}"
    refused = world.call("PATCH", path, {"auto_pay": False}, token=ADMIN)
    assert refused.code == "acceptance_required"
    changed = world.call("PATCH", path, {"auto_pay": False, "acceptance": ACCEPTANCE}, token=ADMIN)
    assert changed.body["auto_pay"] is False


def test_a_number_that_is_let_go_of_works_until_the_period_ends(world: NumberWorld) -> None:
    world.order()
    world.operate("provisioned")
    gone = world.call("POST", f"{PATH}/{E164}/release", {"acceptance": ACCEPTANCE}, token=ADMIN)
    assert (gone.body["state"], gone.body["leaving"]) == ("active", True)
    world.turn()
    assert world.number()["state"] == "released"
    assert world.balance == "16.00"


def authorise(world: World, direction: str, to: str, from_: str) -> Reply:
    return world.call(
        "POST",
        "/v1/calls/authorize",
        {
            "account": "default",
            "call_id": f"{direction}:{to}",
            "direction": direction,
            "kind": "call",
            "to": to,
            "from": from_,
        },
        token=SERVICE,
    )


def test_a_number_on_hold_starts_no_call_and_takes_none(on_hold: NumberWorld) -> None:
    other = "+14155550199"
    for direction, to, from_ in (("outbound", other, E164), ("inbound", E164, other)):
        refused = authorise(on_hold, direction, to, from_)
        assert refused.status == 200, refused.text
        assert refused.body["allowed"] is False
        assert refused.body["reason"] == "number_on_hold"
    pay(on_hold, {"wallet": True})
    assert authorise(on_hold, "outbound", other, E164).body["allowed"] is True


def test_somebody_elses_number_is_nobodys(world: NumberWorld) -> None:
    world.order()
    assert world.call("GET", f"{PATH}/{E164}", token=GLOBEX_ADMIN).status == 404
    assert world.call("GET", f"{PATH}/%2B14155550100", token=ADMIN).status == 200
