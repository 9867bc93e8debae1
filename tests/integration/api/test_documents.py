"""Documents over HTTP: rows, one of them, its print, credit notes, and what was bought."""

from datetime import timedelta
from typing import Any

import pytest

from billing.adapters.gateways.sandbox import SUCCEEDS
from billing.domain.billing_profiles import Series
from billing.domain.documents import Invoice, Line, LineKind
from integration.api.client import (
    ACCEPTANCE,
    ACME,
    ADMIN,
    CATALOG,
    GLOBEX_ADMIN,
    MEMBER,
    OPERATOR,
    RECHARGE,
    Reply,
    World,
)

ACCOUNT = "/v1/accounts/default"
AS_OPERATOR = {"Talktime-Tenant": "acme"}
PDF = {"Accept": "application/pdf"}
CSV = {"Accept": "text/csv"}
PROFILE = {
    "legal_name": "Acme Rockets Ltd",
    "address": ["1 Desert Road", "Canyon Park"],
    "country": "GB",
    "tax_id": "GB999999973",
    "language": "en-GB",
    "purchase_order": "PO 7",
    "acceptance": ACCEPTANCE,
}
SELLER = {"name": "Talktime Telecom GmbH", "address": ["Friedrichstraße 68"], "country": "DE"}


def usd(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}


@pytest.fixture
def world() -> World:
    """Acme has charged its balance with $25."""
    made = World()
    made.seed()
    taxed = {
        **CATALOG,
        "tax_rates": [{"tax": "vat", "name": "VAT", "percentage": "20"}],
        "seller": SELLER,
    }
    saved = made.call("PUT", "/v1/catalog", taxed, token=OPERATOR, headers={"If-Match": '"1"'})
    assert saved.status == 200, saved
    assert saved.body["seller"] == SELLER
    made.add_source(SUCCEEDS)
    key = {"Idempotency-Key": "recharge"}
    assert (
        made.call("POST", f"{ACCOUNT}/recharges", RECHARGE, token=ADMIN, headers=key).status == 201
    )
    return made


def charge(world: World, *lines: tuple[str, str], tax: str | None = "vat", key: str = "c") -> int:
    body = {"lines": [{"text": text, "amount": usd(net), "tax": tax} for text, net in lines]}
    headers = {**AS_OPERATOR, "Idempotency-Key": key}
    made = world.call("POST", f"{ACCOUNT}/charges", body, token=OPERATOR, headers=headers)
    assert made.status == 201, made
    number: int = made.body["invoice"]
    return number


def pay(world: World, number: int) -> None:
    body = {"pay_with": {"wallet": True}, "acceptance": ACCEPTANCE}
    key = {"Idempotency-Key": f"pay {number}"}
    path = f"{ACCOUNT}/invoices/{number}/pay"
    assert world.call("POST", path, body, token=ADMIN, headers=key).status == 201


def get(world: World, path: str, headers: dict[str, str] | None = None, **query: str) -> Reply:
    return world.call("GET", f"{ACCOUNT}/{path}", token=ADMIN, headers=headers, **query)


def purchases(world: World, first: str, last: str) -> Reply:
    """What was bought from the first day on, up to the last."""
    days: dict[str, Any] = {"from": first, "to": last}
    return get(world, "purchases", **days)


def credit(world: World, number: int, body: dict[str, Any], key: str = "credit") -> Reply:
    headers = {**AS_OPERATOR, "Idempotency-Key": key}
    path = f"{ACCOUNT}/invoices/{number}/credit-notes"
    return world.call("POST", path, body, token=OPERATOR, headers=headers)


def put_profile(world: World, **changes: Any) -> Reply:
    etag = get(world, "billing-profile").headers["etag"]
    return world.call(
        "PUT",
        f"{ACCOUNT}/billing-profile",
        {**PROFILE, **changes},
        token=ADMIN,
        headers={"If-Match": etag},
    )


def test_invoices_are_listed_newest_first_page_by_page_and_as_csv(world: World) -> None:
    for number in (1, 2, 3):
        assert charge(world, (f"Training {number}", "5.00"), key=str(number)) == number
    page = get(world, "invoices", limit="2")
    assert [one["number"] for one in page.body["data"]] == [3, 2]
    assert page.body["data"][0] == {
        "number": 3,
        "reference": "INV/acme/main/000003",
        "state": "open",
        "issued_at": "2026-03-14T12:00:00Z",
        "paid_at": None,
        "period": None,
        "subtotal": usd("5.00"),
        "tax": usd("1.00"),
        "total": usd("6.00"),
        "credited": usd("0.00"),
    }
    rest = get(world, "invoices", limit="2", cursor=page.body["next_cursor"])
    assert [one["number"] for one in rest.body["data"]] == [1]
    assert rest.body["next_cursor"] is None
    sheet = get(world, "invoices", CSV).text.splitlines()
    assert sheet[0].startswith("number,reference,state,issued_at")
    assert [row.partition(",")[0] for row in sheet[1:]] == ["3", "2", "1"]


def test_one_invoice_shows_its_lines_and_who_stood_on_it(world: World) -> None:
    charge(world, ("Before", "1.00"), key="before")
    assert put_profile(world).status == 200
    number = charge(world, ("Training", "10.00"), ("=Travel", "2.00"))
    put_profile(world, legal_name="Acme Rockets PLC")
    shown = get(world, f"invoices/{number}").body
    assert [line["text"] for line in shown["lines"]] == ["Training", "=Travel"]
    assert shown["buyer"]["name"] == "Acme Rockets Ltd"
    assert shown["seller"] == SELLER
    assert shown["purchase_order"] == "PO 7"
    assert (shown["paid_by"], shown["creditable"]) == (None, usd("0.00"))
    assert get(world, "invoices/1").body["buyer"] == {"name": "acme"}
    sheet = get(world, f"invoices/{number}", CSV).text.splitlines()
    assert sheet[0].startswith("kind,what,text,quantity,unit_price.amount")
    assert "'=Travel" in sheet[2]


def test_a_new_seller_stands_on_new_documents_alone(world: World) -> None:
    first = charge(world, ("Training", "10.00"), key="1")
    world.clock.advance(timedelta(seconds=1))
    for version in ("2", "3"):
        changed = {**CATALOG, "seller": {"name": f"Talktime {version}"}}
        headers = {"If-Match": f'"{version}"'}
        assert world.call("PUT", "/v1/catalog", changed, token=OPERATOR, headers=headers).status
        world.clock.advance(timedelta(seconds=1))
    second = charge(world, ("Training", "10.00"), tax=None, key="2")
    assert get(world, f"invoices/{first}").body["seller"] == SELLER
    assert get(world, f"invoices/{second}").body["seller"] == {"name": "Talktime 3"}


def test_a_print_is_made_once_and_fetched_by_a_link(world: World) -> None:
    number = charge(world, ("Training", "10.00"))
    found = get(world, f"invoices/{number}", PDF)
    assert (found.status, found.text) == (303, "")
    assert found.headers["location"] == (
        "https://documents.example.com/acme/main/invoices/000001-open.pdf?as=INV-acme-main-000001.pdf"
    )
    linked = get(world, f"invoices/{number}/pdf").body
    assert linked == {
        "url": found.headers["location"],
        "expires_at": "2026-03-14T12:15:00Z",
    }
    assert len(world.printer.printed) == 1
    pay(world, number)
    assert "000001-paid.pdf" in get(world, f"invoices/{number}", PDF).headers["location"]
    assert sorted(world.papers.prints) == [
        "acme/main/invoices/000001-open.pdf",
        "acme/main/invoices/000001-paid.pdf",
    ]


def test_a_recharge_has_a_receipt_and_so_has_what_the_balance_pays(world: World) -> None:
    pay(world, charge(world, ("Training", "10.00")))
    paid, filled = get(world, "receipts").body["data"]
    assert filled["amount"] == usd("25.00")
    assert (filled["invoice"], filled["source"]) == (None, "Visa ending in 4242")
    assert filled["paid_by"]["gateway"] == "sandbox"
    assert (paid["number"], paid["invoice"], paid["paid_by"]) == (2, 1, None)
    assert get(world, "receipts/1").body["reference"] == "RCT/acme/main/000001"
    printed = get(world, "receipts/1", {"Accept": "text/html, application/pdf;q=0.9"})
    assert printed.status == 303
    assert world.printer.printed[-1].series is Series.RECEIPTS


def test_part_of_a_line_is_credited_with_its_tax_into_the_balance(world: World) -> None:
    number = charge(world, ("Training", "10.00"), ("Travel", "5.00"))
    pay(world, number)
    before = world.book.account(ACME).wallet_micros
    body = {"lines": [{"line": 0, "amount": usd("3.33")}], "reason": "Half of it was cold."}
    made = credit(world, number, body)
    assert made.status == 201, made
    assert (made.body["number"], made.body["invoice"], made.body["of_lines"]) == (1, number, [0])
    assert (made.body["subtotal"], made.body["tax"]) == (usd("-3.33"), usd("-0.67"))
    assert made.headers["location"].endswith("/accounts/main/credit-notes/1")
    assert world.book.account(ACME).wallet_micros == before + 4_000_000
    again = credit(world, number, body)
    assert (again.status, again.headers["idempotency-replayed"]) == (201, "true")
    assert again.body == made.body
    assert world.book.account(ACME).wallet_micros == before + 4_000_000
    shown = get(world, f"invoices/{number}").body
    assert (shown["credited"], shown["creditable"]) == (usd("4.00"), usd("14.00"))
    assert shown["credit_notes"] == [1]
    rest = credit(world, number, {"reason": "All of it."}, key="rest").body
    assert (rest["subtotal"], rest["tax"]) == (usd("-11.67"), usd("-2.33"))
    assert credit(world, number, {"reason": "More."}, key="more").status == 422
    assert [one["number"] for one in get(world, "credit-notes").body["data"]] == [2, 1]
    assert get(world, "credit-notes/1", PDF).status == 303
    assert "Training" in get(world, "credit-notes/1", CSV).text
    assert get(world, "ledger/verify").body["is_sound"] is True
    (record,) = [
        one
        for one in world.book.audit_records(ACME)
        if one.action == "invoice.credited" and one.after["reason"] == body["reason"]
    ]
    assert (record.actor, record.after["invoice"]) == ("vendor-operator", number)


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        pytest.param(
            {"lines": [{"line": 0, "amount": usd("10.01")}], "reason": "r"},
            "exceeds_invoice",
            "/lines/0/amount",
            id="more than the line",
        ),
        pytest.param(
            {"lines": [{"line": 9}], "reason": "r"}, "invalid_input", "/lines/0/line", id="no line"
        ),
        pytest.param(
            {"lines": [{"line": 0, "amount": {"amount": "1", "currency": "EUR"}}], "reason": "r"},
            "currency_mismatch",
            "/lines/0/amount/currency",
            id="another currency",
        ),
        pytest.param({"lines": [], "reason": "r"}, "invalid_input", "/lines", id="no lines"),
        pytest.param({"reason": ""}, "invalid_input", "/reason", id="no reason"),
    ],
)
def test_what_cannot_be_credited_changes_nothing(
    world: World, body: dict[str, Any], code: str, pointer: str
) -> None:
    number = charge(world, ("Training", "10.00"))
    pay(world, number)
    before = world.book.account(ACME)
    refused = credit(world, number, body)
    assert (refused.status, refused.code) == (422, code)
    assert refused.body["errors"][0]["pointer"] == pointer
    assert world.book.account(ACME) == before


def test_only_the_operator_credits_and_only_what_was_paid(world: World) -> None:
    number = charge(world, ("Training", "10.00"))
    assert credit(world, number, {"reason": "Not paid."}).code == "exceeds_invoice"
    path = f"{ACCOUNT}/invoices/{number}/credit-notes"
    mine = world.call(
        "POST", path, {"reason": "r"}, token=ADMIN, headers={"Idempotency-Key": "mine"}
    )
    assert mine.status == 403
    assert get(world, "credit-notes").body["data"] == []


@pytest.mark.parametrize(
    "path", ["invoices/9", "invoices/0", "invoices/x", "invoices/1e3", "invoices/²", "receipts/99"]
)
def test_what_is_not_there_is_not_found(world: World, path: str) -> None:
    assert get(world, path).status == 404
    assert get(world, path, PDF).status == 404


def test_others_documents_are_not_there_and_a_member_sees_none(world: World) -> None:
    charge(world, ("Training", "10.00"))
    for path in ("invoices/1", "invoices/1/pdf", "receipts/1"):
        theirs = world.call("GET", f"/v1/accounts/main/{path}", token=GLOBEX_ADMIN, headers=PDF)
        assert theirs.status == 404
        assert world.call("GET", f"{ACCOUNT}/{path}", token=MEMBER).status == 403
    assert not world.papers.prints


def test_a_profile_is_set_by_whoever_has_seen_it(world: World) -> None:
    empty = get(world, "billing-profile")
    assert empty.body["legal_name"] == ""
    assert empty.body["changed_at"] is None
    saved = put_profile(world)
    assert saved.status == 200
    shown = {name: value for name, value in PROFILE.items() if name != "acceptance"}
    assert saved.body == {**shown, "changed_at": "2026-03-14T12:00:00Z"}
    stale = world.call(
        "PUT",
        f"{ACCOUNT}/billing-profile",
        PROFILE,
        token=ADMIN,
        headers={"If-Match": empty.headers["etag"]},
    )
    assert stale.status == 412
    unseen = world.call("PUT", f"{ACCOUNT}/billing-profile", PROFILE, token=ADMIN)
    assert unseen.status == 428
    assert put_profile(world, country="de").body["errors"][0]["pointer"] == "/country"


def test_what_was_bought_is_summed_by_month_and_kind(world: World) -> None:
    number = charge(world, ("Training", "10.00"), ("Travel", "5.00"))
    pay(world, number)
    world.clock.advance(timedelta(days=20))
    credit(world, number, {"lines": [{"line": 1}], "reason": "No travel."})
    charge(world, ("Workshop", "1.00"), key="april")
    found = get(world, "purchases").body
    assert (found["from"], found["to"]) == ("2025-04-04", "2026-04-04")
    march, april = found["months"]
    assert (march["month"], april["month"]) == ("2026-03", "2026-04")
    assert march["invoiced"] == {"net": usd("15.00"), "tax": usd("3.00"), "gross": usd("18.00")}
    assert (march["collected"], march["recharged"]) == (usd("25.00"), usd("25.00"))
    assert april["credited"]["gross"] == usd("6.00")
    assert found["total"]["invoiced"]["gross"] == usd("19.20")
    assert [(row["month"], row["kind"]) for row in found["data"]] == [
        ("2026-03", "charge"),
        ("2026-04", "charge"),
    ]
    only = purchases(world, "2026-04-01", "2026-05-01").body
    assert only["total"]["collected"] == usd("0.00")
    sheet = get(world, "purchases", CSV).text.splitlines()
    assert sheet[0] == (
        "month,kind,invoiced.net.amount,invoiced.net.currency,invoiced.tax.amount,"
        "invoiced.tax.currency,invoiced.gross.amount,invoiced.gross.currency,"
        "credited.net.amount,credited.net.currency,credited.tax.amount,credited.tax.currency,"
        "credited.gross.amount,credited.gross.currency"
    )
    assert len(sheet) == 3


def test_what_is_given_back_counts_with_the_payment_that_it_was(world: World) -> None:
    paid = get(world, "receipts/1").body["paid_by"]["payment_id"]
    headers = {**AS_OPERATOR, "Idempotency-Key": "back"}
    body = {"amount": usd("5.00"), "reason": "Asked for."}
    path = f"{ACCOUNT}/payments/{paid}/refunds"
    assert world.call("POST", path, body, token=OPERATOR, headers=headers).status == 201
    assert get(world, "purchases").body["total"]["refunded"] == usd("5.00")


def test_a_year_of_many_pages_is_summed_whole(world: World) -> None:
    line = Line(LineKind.NUMBER, "+1", "Number", 1, 1_000_000, 1_000_000)
    for number in range(1, 251):
        issued = world.clock.now() - timedelta(days=500 - 2 * number)
        world.book.keep(Invoice(ACME, number, "USD", (line,), issued, "op"))
    # Issued within the last 365 days, today's included: from 364 days ago on.
    assert get(world, "purchases").body["total"]["invoiced"]["net"] == usd("183.00")


@pytest.mark.parametrize(
    ("first", "last"),
    [("2026-03-02", "2026-03-02"), ("2026-03-02", "2026-03-01"), ("2025-01-01", "2026-03-01")],
)
def test_purchases_are_of_a_year_at_most(world: World, first: str, last: str) -> None:
    found = purchases(world, first, last)
    assert (found.status, found.body["errors"][0]["pointer"]) == (422, "/from")
