"""Quotes and orders: exactly what was quoted is charged and delivered, or nothing happens."""

from datetime import timedelta
from typing import Any

import pytest

from billing.adapters.gateways.sandbox import DECLINES, SUCCEEDS, TIMES_OUT_AFTER_CHARGING
from billing.domain.account import AccountRef
from billing.domain.ledger import EntryKind, prove
from billing.domain.selling import Bundle, Price
from billing.domain.units import Unit
from catalogs import a_catalog
from integration.api.client import (
    ACCEPTANCE,
    ACME,
    ADMIN,
    GLOBEX_ADMIN,
    OPERATOR,
    PUBLIC_URL,
    RATES,
    RECHARGE,
    SERVICE,
    Reply,
    Token,
    a_tenant_body,
    a_token,
    seeded,
)

USD = 1_000_000
WALLET = {"wallet": True}
BUNDLE = {"kind": "bundle", "what": "minutes-300", "quantity": 1}
PACKAGE = {"kind": "package", "what": "toll-free-500", "quantity": 2}
RUPEES = Bundle(
    "minutes-300", "300 minutes", Unit.VOICE_SECONDS, 18_000, Price((("INR", 500 * USD),)), 90
)


class Shop:
    """Acme at a shop with one of everything; its plan was sold before there was so much."""

    def __init__(self, ref: AccountRef = ACME, token: Token = ADMIN, **catalog: Any) -> None:
        self.ref, self.token = ref, token
        self.world = seeded()
        self.world.talktime.catalogs.save(a_catalog(**catalog), 1)

    @property
    def path(self) -> str:
        return f"/v1/accounts/{self.ref.account_id}"

    @property
    def wallet_micros(self) -> int:
        return self.world.book.account(self.ref).wallet_micros

    def fill(self, amount: str = "25.00", key: str = "fill") -> None:
        self.world.add_source(SUCCEEDS, f"source-{key}")
        body = {**RECHARGE, "amount": {"amount": amount, "currency": "USD"}}
        filled = self.call("POST", "/recharges", body, headers={"Idempotency-Key": key})
        assert filled.status == 201, filled.text

    def source(self, token: str) -> str:
        self.world.add_source(token, token)
        (found,) = self.call("GET", "/funding-sources").body["data"]
        return str(found["source"])

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> Reply:
        return self.world.call(method, self.path + path, body, **({"token": self.token} | more))

    def quote(self, *wants: Any) -> Any:
        found = self.call("POST", "/quotes", {"wants": list(wants)})
        assert found.status == 201, found.text
        return found.body

    def order(self, quote: Any, pay_with: Any = None, key: str = "order", **changed: Any) -> Reply:
        body = {"quote_id": quote["quote_id"], "acceptance": ACCEPTANCE, **changed}
        if pay_with is not None:
            body["pay_with"] = pay_with
        return self.call("POST", "/orders", body, headers={"Idempotency-Key": key})

    def orders(self) -> list[Any]:
        return list(self.call("GET", "/orders").body["data"])

    def operation(self, accepted: Reply) -> Any:
        path = accepted.headers["location"].removeprefix(PUBLIC_URL)
        return self.world.call("GET", path, token=self.token).body

    def bundles(self) -> int:
        account = self.world.book.account(self.ref)
        return sum(grant.recurring_id is None for grant in account.grants)

    def is_proven(self) -> bool:
        book = self.world.book
        account = book.account(self.ref)
        return prove(account, book.entries(account)).is_sound

    def captured_minor(self) -> int:
        """What the gateway has of this account's money."""
        return sum(one.amount_minor for one in self.world.sandbox.captured())


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_a_quote_says_what_it_comes_to_and_changes_nothing(shop: Shop) -> None:
    before = shop.world.book.account(ACME)
    quote = shop.quote({**BUNDLE, "quantity": 2}, {"kind": "product", "what": "training"})
    assert {name: quote[name]["amount"] for name in ("subtotal", "up_front_fees", "tax")} == {
        "subtotal": "520.00",
        "up_front_fees": "520.00",
        "tax": "48.38",
    }
    assert quote["total"] == quote["due_now"] == {"amount": "568.38", "currency": "USD"}
    bundle, training = quote["lines"]
    assert (bundle["amount"]["amount"], bundle["tax_rate"], bundle["up_front"]) == (
        "20.00",
        "0.2",
        True,
    )
    assert (training["tax_rate"], training["tax"]["amount"]) == ("0.08875", "44.38")
    assert quote["next_recurring"]["amount"] == "0.00"
    assert quote["next_recurring_at"] == "2026-04-01T04:00:00Z"
    assert (quote["quoted_at"], quote["expires_at"]) == (
        "2026-03-14T12:00:00Z",
        "2026-03-14T12:30:00Z",
    )
    assert quote["terms"]["version"] == ACCEPTANCE["terms_version"]
    assert shop.world.book.account(ACME) == before
    assert shop.call("GET", f"/quotes/{quote['quote_id']}").body == quote
    assert shop.quote(BUNDLE)["quote_id"] != quote["quote_id"]


@pytest.mark.parametrize(
    ("want", "code", "pointer"),
    [
        ({"kind": "bundle", "what": "nothing"}, "not_sold", "/wants/0/what"),
        ({"kind": "units", "what": "crm"}, "invalid_input", "/wants/0/quantity"),
        ({**BUNDLE, "quantity": 0}, "invalid_input", "/wants/0/quantity"),
        ({**BUNDLE, "interval": "year"}, "invalid_input", "/wants/0/interval"),
        ({"kind": "favour", "what": "any"}, "invalid_input", "/wants/0/kind"),
    ],
)
def test_a_want_that_cannot_be_had_is_named(shop: Shop, want: Any, code: str, pointer: str) -> None:
    found = shop.call("POST", "/quotes", {"wants": [want]})
    assert (found.status, found.code) == (422, code)
    assert [error["pointer"] for error in found.body["errors"]] == [pointer]


def test_a_number_is_no_card_even_where_its_digits_could_be_one(shop: Shop) -> None:
    want = {
        "kind": "number",
        "what": "local",
        "e164": "+4915112345678",
        "capabilities": ["voice", "sms"],
    }
    quote = shop.quote(want)
    assert quote["wants"][0]["e164"] == want["e164"]
    elsewhere = {"wants": [{**want, "what": str(want["e164"]).removeprefix("+")}]}
    assert shop.call("POST", "/quotes", elsewhere).code == "card_number_refused"


def test_nothing_wanted_is_no_quote(shop: Shop) -> None:
    found = shop.call("POST", "/quotes", {"wants": []})
    assert (found.status, found.body["errors"][0]["pointer"]) == (422, "/wants")


def test_an_order_from_the_wallet_charges_the_quote_to_the_cent_and_delivers(shop: Shop) -> None:
    shop.fill()
    quote = shop.quote(BUNDLE)
    placed = shop.order(quote, WALLET)
    assert placed.status == 201, placed.text
    order = placed.body
    assert (order["state"], order["total"]) == ("delivered", quote["total"])
    assert (order["invoice"], order["recharge"]) == (1, None)
    assert shop.wallet_micros == 13 * USD
    assert shop.bundles() == 1
    assert shop.is_proven()
    found = shop.call("GET", f"/orders/{order['order']}")
    assert (found.status, found.body) == (200, order)
    assert placed.headers["location"] == f"{PUBLIC_URL}{shop.path}/orders/{order['order']}"
    (record,) = (one for one in shop.world.book.audit_records(ACME) if one.action == "order.placed")
    assert record.after["total"] == quote["total"]
    assert record.acceptance is not None
    assert record.before["plan"] == "growth"


def test_the_same_key_answers_the_same_and_charges_nothing_more(shop: Shop) -> None:
    shop.fill()
    quote = shop.quote(BUNDLE)
    first = shop.order(quote, WALLET)
    shop.world.clock.advance(timedelta(hours=2))
    again = shop.order(quote, WALLET)
    assert (again.status, again.body) == (201, first.body)
    assert again.headers["idempotency-replayed"] == "true"
    assert shop.wallet_micros == 13 * USD
    assert shop.order(shop.quote(BUNDLE), WALLET).code == "idempotency_key_reused"


def refusals(shop: Shop) -> Any:
    """Orders that are refused, each with the code it is refused with."""
    quote = shop.quote(BUNDLE)
    for name, value in (("first_name", " "), ("last_name", ""), ("terms_version", "2025-01")):
        acceptance = {**ACCEPTANCE, name: value}
        yield "acceptance_required", lambda a=acceptance: shop.order(quote, WALLET, acceptance=a)
    yield "acceptance_required", lambda: shop.order(quote, WALLET, acceptance=None)
    yield "invalid_input", lambda: shop.order({"quote_id": "quo_" + "a" * 32}, WALLET)
    yield "invalid_input", lambda: shop.order(quote)
    yield "invalid_input", lambda: shop.order(quote, {})
    yield "invalid_input", lambda: shop.order(quote, {"wallet": True, "method": "upi"})
    yield "invalid_input", lambda: shop.order(quote, {"method": "upi"})
    yield "not_found", lambda: shop.order(quote, {"source": "src_" + "a" * 20})
    dear = shop.quote({"kind": "product", "what": "training"})
    yield "insufficient_balance", lambda: shop.order(dear, WALLET)


def test_a_refused_order_changes_nothing(shop: Shop) -> None:
    shop.fill()
    before = shop.world.book.account(ACME)
    for number, (code, ask) in enumerate(refusals(shop)):
        found = ask()
        assert found.code == code, (number, found.text)
        assert shop.world.book.account(ACME) == before
    assert shop.orders() == []


def test_an_expired_quote_is_refused(shop: Shop) -> None:
    shop.fill()
    quote = shop.quote(BUNDLE)
    shop.world.clock.advance(timedelta(minutes=30) - timedelta(microseconds=1))
    assert shop.order(quote, WALLET, "in time").status == 201
    quote = shop.quote(BUNDLE)
    shop.world.clock.advance(timedelta(minutes=30))
    assert shop.order(quote, WALLET, "late").code == "quote_expired"
    assert shop.wallet_micros == 13 * USD


def test_a_quote_goes_stale_with_what_it_was_computed_from(shop: Shop) -> None:
    shop.fill("900.00")
    first, second = shop.quote({"kind": "plan", "what": "growth"}), shop.quote(BUNDLE)
    assert shop.order(first, WALLET, "first").status == 201
    found = shop.order(second, WALLET, "second")
    assert (found.status, found.code) == (409, "quote_stale")
    fresh = shop.quote(BUNDLE)
    shop.world.talktime.catalogs.save(a_catalog(terms_version="2026-02"), 2)
    changed = {**ACCEPTANCE, "terms_version": "2026-02"}
    assert shop.order(fresh, WALLET, "prices", acceptance=changed).code == "quote_stale"


def test_calls_in_progress_keep_what_was_set_aside_for_them(shop: Shop) -> None:
    shop.fill("12.50")
    wanted = {
        "account": "main",
        "call_id": "c",
        "direction": "outbound",
        "kind": "call",
        "to": "+14155550123",
        "duration_seconds": 14_000,
    }
    quote = shop.quote(BUNDLE)
    allowed = shop.world.call("POST", "/v1/calls/authorize", wanted, token=SERVICE)
    assert allowed.body["allowed"]
    refused = shop.order(quote, WALLET)
    assert refused.code == "insufficient_balance"
    name = allowed.body["reservation_id"]
    shop.world.call("DELETE", f"/v1/reservations/{name}", token=SERVICE)
    assert shop.order(quote, WALLET).status == 201


def test_an_order_from_a_source_is_paid_by_it_and_leaves_the_wallet_alone(shop: Shop) -> None:
    source = shop.source(SUCCEEDS)
    placed = shop.order(shop.quote(BUNDLE), {"source": source})
    assert placed.status == 201, placed.text
    assert placed.body["recharge"] == 1
    assert (shop.wallet_micros, shop.captured_minor(), shop.bundles()) == (0, 1200, 1)
    assert shop.is_proven()
    recharge = shop.call("GET", "/recharges").body["data"][0]
    assert (recharge["reason"], recharge["order"]) == ("order", placed.body["order"])
    again = shop.order({"quote_id": placed.body["quote_id"]}, {"source": source})
    assert (again.status, again.body) == (201, placed.body)
    assert shop.captured_minor() == 1200


def test_a_declined_payment_delivers_nothing(shop: Shop) -> None:
    source = shop.source(DECLINES)
    quote = shop.quote(BUNDLE)
    found = shop.order(quote, {"source": source})
    assert (found.status, found.code) == (402, "payment_declined")
    assert found.body["order"]["state"] == "failed"
    assert (shop.wallet_micros, shop.bundles()) == (0, 0)
    assert shop.order(quote, {"source": source}).headers["idempotency-replayed"] == "true"
    assert [one["failure_code"] for one in shop.orders()] == ["payment_declined"]


def test_an_unknown_outcome_is_followed_to_its_end(shop: Shop) -> None:
    source = shop.source(TIMES_OUT_AFTER_CHARGING)
    quote, other = shop.quote(BUNDLE), shop.quote(BUNDLE)
    accepted = shop.order(quote, {"source": source})
    assert accepted.status == 202
    assert (accepted.body["state"], accepted.body["order"]["state"]) == ("unknown", "pending")
    assert shop.bundles() == 0
    assert shop.order(other, WALLET, "other").code == "order_in_progress"
    shop.world.talktime.collect_recharge.finish_open(ACME)
    followed = shop.operation(accepted)
    assert (followed["state"], followed["order"]["state"]) == ("succeeded", "delivered")
    assert (shop.wallet_micros, shop.captured_minor(), shop.bundles()) == (0, 1200, 1)
    assert shop.order(quote, {"source": source}).status == 201
    assert shop.is_proven()


def test_nothing_is_due_for_what_only_ends_and_it_can_be_taken_back(shop: Shop) -> None:
    shop.fill("900.00")
    plan = shop.quote({"kind": "plan", "what": "growth"}, PACKAGE)
    assert shop.order(plan, WALLET, "buy").status == 201
    quote = shop.quote({**PACKAGE, "quantity": 1})
    assert quote["due_now"]["amount"] == "0.00"
    assert len(quote["scheduled"]) == 1
    assert shop.order(quote, None, "less").status == 201
    (change,) = shop.call("GET", "/scheduled-changes").body["data"]
    assert (change["kind"], change["quantity"], change["at"]) == (
        "package",
        1,
        "2026-04-01T04:00:00Z",
    )
    path = f"/scheduled-changes/{change['scheduled_change']}"
    assert shop.call("DELETE", path, {}).code == "acceptance_required"
    assert len(shop.call("GET", "/scheduled-changes").body["data"]) == 1
    pinned = shop.quote(BUNDLE)
    accepted = {"acceptance": ACCEPTANCE}
    assert shop.call("DELETE", path, accepted, token=GLOBEX_ADMIN).status == 404
    assert shop.call("DELETE", path, accepted).status == 204
    assert shop.call("GET", "/scheduled-changes").body["data"] == []
    assert shop.call("DELETE", path, accepted).status == 404
    assert shop.order(pinned, WALLET, "stale").code == "quote_stale"


def test_what_is_held_is_shown_with_its_counts_and_renewal(shop: Shop) -> None:
    shop.fill("900.00")
    quote = shop.quote(
        {"kind": "plan", "what": "growth"}, {"kind": "units", "what": "dialler", "quantity": 3}
    )
    assert shop.order(quote, WALLET).status == 201
    found = shop.call("GET", "/subscription").body
    assert (found["plan"], found["name"], found["billing_interval"]) == (
        "growth",
        "Growth",
        "month",
    )
    items = {(item["kind"], item["what"]): item for item in found["items"]}
    dialler = items["units", "dialler"]
    counted = ("created", "included", "additional", "available", "count")
    assert [dialler[name] for name in counted] == [3, 2, 1, 3, 1]
    assert dialler["unit_price"]["amount"] == dialler["price"]["amount"] == "40.00"
    crm = items["units", "crm"]
    assert [crm[name] for name in ("created", "included", "contracted_minimum")] == [0, 1, 3]
    assert (crm["count"], crm["price"]["amount"]) == (2, "50.00")
    assert items["plan", "growth"]["created"] is None
    # 99 for the plan, 2 further seats at 25, 1 further port at 40; and 20 % on all of it.
    assert found["next_renewal"]["amount"] == quote["next_recurring"]["amount"] == "226.80"
    assert found["next_renewal_at"] == "2026-04-01T04:00:00Z"
    assert found["contract"] is None
    overview = shop.call("GET", "").body
    assert overview["plan_expires_on"] == "2026-03-31"
    assert overview["next_payment"] == {"on": "2026-04-01", "amount": found["next_renewal"]}
    shown = {"kind", "what", "name", "count", "unit_price", "price", "billing_interval"}
    assert overview["items"] == [{name: item[name] for name in shown} for item in found["items"]]


def test_orders_are_listed_newest_first_page_by_page(shop: Shop) -> None:
    shop.fill("60.00")
    for number in range(3):
        shop.world.clock.advance(timedelta(seconds=1))
        assert shop.order(shop.quote(BUNDLE), WALLET, f"order {number}").status == 201
    whole = [one["order"] for one in shop.orders()]
    times = [one["placed_at"] for one in shop.orders()]
    assert times == sorted(times, reverse=True)
    first = shop.call("GET", "/orders", limit="2").body
    rest = shop.call("GET", "/orders", limit="2", cursor=first["next_cursor"]).body
    assert [one["order"] for one in (*first["data"], *rest["data"])] == whole
    assert rest["next_cursor"] is None
    sheet = shop.call("GET", "/orders", headers={"Accept": "text/csv"}).text.splitlines()
    assert sheet[0].startswith("order,quote_id,state,wants,lines,subtotal.amount")
    assert [row.partition(",")[0] for row in sheet[1:]] == whole


def test_a_machine_needs_no_acceptance(shop: Shop) -> None:
    shop.fill()
    body = {"quote_id": shop.quote(BUNDLE)["quote_id"], "pay_with": WALLET}
    headers = {"Idempotency-Key": "machine"}
    assert shop.call("POST", "/orders", body, token=SERVICE, headers=headers).status == 201


def test_anothers_quote_cannot_be_ordered_or_seen(shop: Shop) -> None:
    quote = shop.quote(BUNDLE)
    path = f"/v1/accounts/main/quotes/{quote['quote_id']}"
    assert shop.world.call("GET", path, token=GLOBEX_ADMIN).status == 404
    body = {"quote_id": quote["quote_id"], "pay_with": WALLET, "acceptance": ACCEPTANCE}
    headers = {"Idempotency-Key": "thief"}
    path = "/v1/accounts/main/orders"
    found = shop.world.call("POST", path, body, token=GLOBEX_ADMIN, headers=headers)
    assert (found.status, found.code) == (422, "invalid_input")


@pytest.fixture
def bharat() -> Shop:
    """A tenant that pays in rupees, and has saved nothing."""
    ref = AccountRef("bharat", "main")
    shop = Shop(ref, a_token("billing-admin", "bharat"), bundles=(RUPEES,))
    world = shop.world
    deck = {"currency": "INR", "effective_at": "2026-01-01T00:00:00Z"}
    headers = {"Content-Type": "text/csv"}
    world.call("PUT", "/v1/rate-decks/rupees", RATES, token=OPERATOR, headers=headers, **deck)
    body = a_tenant_body("bharat")
    body["account"] |= {"currency": "INR", "rate_deck": "rupees", "plan": "starter"}
    headers = {"Idempotency-Key": "bharat"}
    assert world.call("POST", "/v1/tenants", body, token=OPERATOR, headers=headers).status == 201
    return shop


def test_a_one_off_payment_delivers_on_the_gateways_word_alone(bharat: Shop) -> None:
    accepted = bharat.order(bharat.quote(BUNDLE), {"method": "upi"})
    assert accepted.status == 202
    recharge = accepted.body["recharge"]
    assert recharge["next_action"]["url"].startswith("upi://pay?")
    assert recharge["next_action_expires_at"] == "2026-03-14T12:15:00Z"
    assert bharat.bundles() == 0
    again = bharat.order({"quote_id": accepted.body["order"]["quote_id"]}, {"method": "upi"})
    assert (again.status, again.headers["idempotency-replayed"]) == (202, "true")
    assert again.body["recharge"]["next_action"] == recharge["next_action"]
    bharat.world.sandbox.approve(recharge["payment_id"])
    for _ in range(2):
        bharat.world.talktime.collect_recharge.finish_open(bharat.ref)
    assert bharat.operation(accepted)["order"]["state"] == "delivered"
    assert (bharat.wallet_micros, bharat.bundles()) == (0, 1)
    assert bharat.is_proven()


def test_what_nobody_approves_in_time_is_not_ordered(bharat: Shop) -> None:
    accepted = bharat.order(bharat.quote(BUNDLE), {"method": "upi"})
    bharat.world.clock.advance(timedelta(minutes=16))
    bharat.world.talktime.collect_recharge.finish_open(bharat.ref)
    followed = bharat.operation(accepted)
    assert (followed["state"], followed["order"]["state"]) == ("failed", "failed")
    assert bharat.bundles() == 0
    assert bharat.order(bharat.quote(BUNDLE), {"method": "upi"}, "again").status == 202


def test_money_for_an_order_that_no_longer_fits_stays_in_the_wallet(bharat: Shop) -> None:
    bharat.world.clock.advance(timedelta(days=17, hours=15, minutes=55))
    accepted = bharat.order(bharat.quote(BUNDLE), {"method": "upi"})
    assert accepted.status == 202, accepted.text
    bharat.world.sandbox.approve(accepted.body["recharge"]["payment_id"])
    # The period turns meanwhile.
    bharat.world.clock.advance(timedelta(minutes=10))
    bharat.world.talktime.collect_recharge.finish_open(bharat.ref)
    followed = bharat.operation(accepted)
    assert (followed["state"], followed["recharge"]["state"]) == ("failed", "succeeded")
    order = followed["order"]
    assert (order["state"], order["failure_code"]) == ("failed", "quote_stale")
    assert "wallet" in order["failure_detail"]
    assert (bharat.wallet_micros, bharat.bundles()) == (500 * USD, 0)
    again = bharat.order({"quote_id": order["quote_id"]}, {"method": "upi"})
    assert (again.status, again.code) == (409, "quote_stale")
    entries = bharat.world.book.entries(bharat.world.book.account(bharat.ref))
    assert {entry.kind for entry in entries} == {EntryKind.RECHARGE}
