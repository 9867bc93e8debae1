"""The tenant's routes: accounts, ledger, usage, recharges, funding sources."""

import csv
import io
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from api.idempotency import ABANDONED_AFTER
from billing.adapters.gateways.sandbox import SandboxGateway
from billing.domain.errors import BookContendedError, PaymentUnknownError
from billing.domain.records import Operation, OperationState
from billing.ports import ChargeRequest, Outcome
from builders import a_usage_event
from fakes.world import FixedClock, InMemorySandbox, InMemorySandboxBook
from integration.api.client import (
    ACCEPTANCE,
    ACME,
    ADMIN,
    FIXED,
    NOW,
    OPERATOR,
    RECHARGE,
    SERVICE,
    SOURCE,
    Reply,
    World,
    seeded,
)

ACCOUNT = "/v1/accounts/main"


@pytest.fixture
def world() -> World:
    return seeded()


def get(world: World, path: str, headers: Mapping[str, str] | None = None, **q: str) -> Reply:
    return world.call("GET", ACCOUNT + path, token=ADMIN, headers=headers, **q)


def post_recharge(world: World, key: str = "r", **change: Any) -> Reply:
    return world.call(
        "POST",
        f"{ACCOUNT}/recharges",
        {**RECHARGE, **change},
        token=ADMIN,
        headers={"Idempotency-Key": key},
    )


# Overview


def test_an_account_tells_how_it_stands(world: World) -> None:
    world.add_source()
    post_recharge(world)
    world.use(ACME, 6)
    found = get(world, "")
    assert found.body["used"] == {"calls": 6, "voice_seconds": 720, "messages": 0}
    (quota,) = found.body["quotas"]
    assert (quota["total"], quota["remaining"], quota["percentage_used"]) == (600, 0, "100.00")
    assert quota["resets_at"] == found.body["next_reset_at"] == "2026-04-01T04:00:00Z"
    assert found.body["balance"] == {
        "settled": {"amount": "23.80", "currency": "USD"},
        "reserved": {"amount": "0.00", "currency": "USD"},
        "available": {"amount": "23.80", "currency": "USD"},
    }
    assert found.body["spent"] == {"amount": "1.20", "currency": "USD"}
    assert found.body["approximate_minutes"] is None, "no summary has priced a call yet"


def test_the_runway_counts_whole_days(world: World) -> None:
    world.add_source()
    post_recharge(world)
    assert get(world, "").body["runway_days"] is None
    world.use(ACME, 7)
    world.clock.advance(timedelta(days=1))
    found = get(world, "").body
    # A young account averages over seven days: 2.40 / 7, and 22.60 lasts 65 of them.
    assert found["average_daily_spend"] == {"amount": "0.342857", "currency": "USD"}
    assert found["runway_days"] == 65


def test_a_debt_has_no_runway(world: World) -> None:
    world.use(ACME, 7)
    world.clock.advance(timedelta(days=1))
    found = get(world, "").body
    assert found["balance"]["settled"]["amount"] == "-2.40"
    assert found["runway_days"] == 0


def test_a_late_roll_is_read_as_if_it_had_run(world: World) -> None:
    world.use(ACME, 3)
    before = world.book.account(ACME)
    world.clock.advance(timedelta(days=30))
    found = get(world, "").body
    assert found["quotas"][0]["percentage_used"] == "0.00"
    assert found["used"]["calls"] == 0
    assert found["period"]["start_at"] == "2026-04-01T04:00:00Z"
    assert world.book.account(ACME) == before


def test_a_percentage_has_two_decimals_and_rounds_up(world: World) -> None:
    world.post_usage(ACME, a_usage_event(1, world.clock.now(), quantity=1))
    assert get(world, "").body["quotas"][0]["percentage_used"] == "10.00"


def test_an_account_is_opened_once_per_key(world: World) -> None:
    body = {
        "name": "Second",
        "currency": "JPY",
        "time_zone": "Asia/Tokyo",
        "plan": "growth",
        "billing_day": 31,
    }

    def post(key: str, **change: object) -> Reply:
        headers = {"Idempotency-Key": key}
        return world.call("POST", "/v1/accounts", body | change, token=ADMIN, headers=headers)

    world.clock.advance(timedelta(seconds=1))
    first, again, other = post("a"), post("a"), post("b")
    assert (first.status, again.text) == (201, first.text)
    assert again.headers["idempotency-replayed"] == "true"
    assert other.body["account"] != first.body["account"]
    assert post("a", name="Third").code == "idempotency_key_reused"
    assert first.body["rate_deck"] == "retail-us"
    assert post("c", rate_deck="cheap").code == "forbidden"
    path = f"/v1/accounts/{first.body['account']}"
    found = world.call("GET", path, token=ADMIN).body
    assert found["balance"]["settled"] == {"amount": "0", "currency": "JPY"}
    assert len(world.call("GET", "/v1/accounts", token=ADMIN).body["data"]) == 3
    # The first account is still what the tenant opened first, not the first by name.
    assert world.call("GET", "/v1/accounts/default", token=ADMIN).body["account"] == "main"


# Ledger


def test_the_ledger_is_read_in_either_order(world: World) -> None:
    world.use(ACME, 7)
    for order, expected in (("oldest", [*range(1, 8)]), ("newest", [*range(7, 0, -1)])):
        seen: list[int] = []
        query: dict[str, Any] = {"limit": "3", "order": order}
        while True:
            found = get(world, "/ledger", **query).body
            seen += [row["sequence"] for row in found["data"]]
            if found["next_cursor"] is None:
                break
            query["cursor"] = found["next_cursor"]
        assert seen == expected


def test_an_entry_shows_what_moved(world: World) -> None:
    world.add_source()
    post_recharge(world)
    world.use(ACME, 6)
    rows = get(world, "/ledger").body["data"]
    assert rows[0]["kind"] == "recharge"
    assert (rows[0]["debit"], rows[0]["credit"]) == ("gateway:sandbox", "wallet")
    assert rows[0]["usage"] is None
    assert rows[0]["balance"] == {"amount": "25.00", "currency": "USD"}
    assert rows[6]["usage"] == {
        "calls": 1,
        "voice_seconds": 120,
        "granted_voice_seconds": 0,
        "messages": 0,
        "granted_messages": 0,
    }
    assert rows[6]["previous_hash"] == rows[5]["hash"]


def test_the_ledger_is_proven(world: World) -> None:
    world.add_source()
    post_recharge(world)
    world.use(ACME, 6)
    found = get(world, "/ledger/verify").body
    assert found["is_sound"] is True
    assert found["entries"] == 7
    assert found["sum"] == found["balance"] == {"amount": "23.80", "currency": "USD"}
    world.book._entries[ACME].pop(3)
    broken = get(world, "/ledger/verify").body
    assert broken["is_sound"] is False
    assert broken["problems"]


def test_the_ledger_is_taken_away_as_csv(world: World) -> None:
    world.use(ACME, 3)
    found = get(world, "/ledger", {"Accept": "text/csv"}, limit="2")
    assert found.headers["content-type"] == "text/csv; charset=utf-8"
    assert 'rel="next"' in found.headers["link"]
    header, *rows = csv.reader(io.StringIO(found.text))
    assert header[:3] == ["sequence", "posted_at", "kind"]
    assert [row[0] for row in rows] == ["1", "2"]


def tampered(cursor: str) -> list[str]:
    flipped = "A" if cursor[0] != "A" else "B"
    return [
        flipped + cursor[1:],
        cursor[:-1],
        cursor + "A",
        cursor + "=",
        "A" * 40,
        "!",
        "ü",
        "A",
        "A" * 512,
    ]


def test_a_cursor_is_good_for_its_own_list_alone(world: World) -> None:
    world.use(ACME, 3)
    cursor = get(world, "/ledger", limit="1").body["next_cursor"]
    assert get(world, "/ledger", limit="2", cursor=cursor).status == 200
    others = [
        get(world, "/ledger", order="newest", cursor=cursor),
        get(world, "/usage", cursor=cursor),
        get(world, "/recharges", cursor=cursor),
        world.call("GET", "/v1/accounts/default/ledger", token=ADMIN, cursor=cursor),
        *(get(world, "/ledger", cursor=forged) for forged in tampered(cursor)),
    ]
    assert {(found.status, found.code) for found in others} == {(400, "invalid_cursor")}


# Usage


def usage_ids(world: World, **query: Any) -> list[str]:
    found = get(world, "/usage", **query)
    assert found.status == 200, found.text
    return [row["call_id"] for row in found.body["data"]]


def test_usage_is_read_in_posting_order_across_postings(world: World) -> None:
    world.add_source()
    batches = [3, 1, 4]
    first = 1
    for size in batches:
        events = [a_usage_event(first + n, world.clock.now()) for n in range(size)]
        world.post_usage(ACME, *events)
        post_recharge(world, key=f"between-{first}")
        first += size
    whole = usage_ids(world)
    assert len(whole) == len(set(whole)) == 8
    for limit in range(1, 9):
        seen: list[str] = []
        query: dict[str, Any] = {"limit": str(limit)}
        while True:
            found = get(world, "/usage", **query).body
            seen += [row["call_id"] for row in found["data"]]
            if found["next_cursor"] is None:
                break
            query["cursor"] = found["next_cursor"]
        assert seen == whole


def test_a_call_shows_what_it_cost_and_who_paid(world: World) -> None:
    world.use(ACME, 6)
    row = get(world, "/usage").body["data"][5]
    assert (row["from"], row["to"]) == ("+14155550100", "+14155550006")
    assert (row["quantity"], row["billed_quantity"], row["granted_quantity"]) == (61, 120, 0)
    assert row["cost"] == row["wallet"] == {"amount": "1.20", "currency": "USD"}
    assert (row["rate_deck"], row["rate_deck_version"], row["prefix"]) == ("retail-us", 1, "1")


def test_usage_is_filtered_half_open(world: World) -> None:
    start = world.clock.now()
    world.use(ACME, 5)
    whole = usage_ids(world)
    minute = [(start + timedelta(minutes=n)).isoformat() for n in range(6)]
    assert usage_ids(world, **{"from": minute[1], "to": minute[3]}) == whole[1:3]
    assert usage_ids(world, **{"from": minute[4]}) == whole[4:]
    assert usage_ids(world, **{"from": minute[5]}) == []
    assert usage_ids(world, to=minute[0]) == []
    # Days are the account's own: noon in UTC is the same day in New York.
    assert usage_ids(world, **{"from": "2026-03-14", "to": "2026-03-15"}) == whole
    assert usage_ids(world, **{"from": "2026-03-15"}) == []
    window: dict[str, Any] = {"from": minute[1], "limit": "2"}
    first = get(world, "/usage", **window).body
    cursor = first["next_cursor"]
    assert usage_ids(world, **{"from": minute[1], "limit": "2", "cursor": cursor}) == whole[3:]


@pytest.mark.parametrize("bound", ["yesterday", "2026-02-30", "2026-03-14T12:00:00", "1e9", ""])
def test_a_bound_that_is_no_time_is_refused(world: World, bound: str) -> None:
    query: dict[str, Any] = {"from": bound}
    found = get(world, "/usage", **query)
    assert (found.status, found.body["errors"][0]["pointer"]) == (422, "/from")


def test_a_spreadsheet_runs_nothing_of_the_usage(world: World) -> None:
    formula = '=HYPERLINK("http://evil.example.com")'
    event = a_usage_event(1, world.clock.now(), from_number=formula)
    world.post_usage(ACME, event, a_usage_event(2, world.clock.now(), from_number="-1+2"))
    text = get(world, "/usage", {"Accept": "text/csv"}).text
    header, *rows = csv.reader(io.StringIO(text))
    senders = [row[header.index("from")] for row in rows]
    assert senders == [f"'{formula}", "'-1+2"]
    assert {row[header.index("to")] for row in rows} == {"+14155550001", "+14155550002"}


# Automatic recharge


def put_policy(world: World, body: Any, etag: str | None) -> Reply:
    headers = {"If-Match": etag} if etag else {}
    return world.call("PUT", f"{ACCOUNT}/auto-recharge", body, token=ADMIN, headers=headers)


def test_settings_are_changed_by_who_has_seen_them(world: World) -> None:
    etag = get(world, "/auto-recharge").headers["etag"]
    assert put_policy(world, FIXED, None).code == "precondition_required"
    assert put_policy(world, FIXED, '"0"').code == "stale_settings"
    changed = put_policy(world, FIXED, etag)
    assert changed.status == 200
    assert changed.body["threshold"] == {"amount": "10.00", "currency": "USD"}
    assert changed.headers["etag"] != etag
    assert put_policy(world, FIXED, etag).code == "stale_settings"
    # Usage moves the account, and the settings are still those that were seen.
    world.use(ACME, 2)
    assert get(world, "/auto-recharge").headers["etag"] == changed.headers["etag"]


def test_settings_that_are_off_collect_nothing_and_no_limit_is_to_blame(world: World) -> None:
    found = get(world, "/auto-recharge").body
    assert (found["mode"], found["state"]) == ("off", "off")
    assert (found["would_collect"]["amount"], found["limited_by"]) == ("0.00", None)


def test_a_recharges_attempts_stay_together_in_one_cell(world: World) -> None:
    world.add_source()
    headers = {"Idempotency-Key": "sheet"}
    world.call("POST", "/v1/accounts/main/recharges", RECHARGE, token=ADMIN, headers=headers)
    text = get(world, "/recharges", {"Accept": "text/csv"}).text
    (row,) = csv.DictReader(io.StringIO(text))
    (attempt,) = json.loads(row["attempts"])
    assert (row["state"], attempt["state"]) == ("succeeded", "succeeded")
    assert not [name for name in row if name.startswith("attempts.")]


def test_settings_say_what_they_would_collect(world: World) -> None:
    world.add_source()
    etag = get(world, "/auto-recharge").headers["etag"]
    found = put_policy(world, FIXED, etag).body
    assert found["would_collect"] == {"amount": "20.00", "currency": "USD"}
    assert found["limited_by"] is None
    assert found["next_cycle_at"] == "2026-03-14T16:00:00Z"
    assert (found["state"], found["due_reason"]) == ("scheduled", "low")
    assert found["maximum"] is None
    assert "target" not in found
    assert get(world, "").body["recharge"]["mode"] == "fixed"


def money(amount: str, currency: str = "USD") -> dict[str, str]:
    return {"amount": amount, "currency": currency}


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"mode": "always"}, "/mode"),
        ({"threshold": None}, "/threshold"),
        ({"amount": None}, "/amount"),
        ({"target": money("5")}, "/target"),
        ({"mode": "target", "amount": None}, "/target"),
        ({"mode": "target", "amount": None, "target": money("10")}, "/target"),
        ({"mode": "off"}, "/threshold"),
        ({"threshold": money("-1")}, "/threshold"),
        ({"threshold": money("10", "EUR")}, "/threshold/currency"),
        ({"amount": money("0")}, "/amount"),
        ({"amount": money("-5")}, "/amount"),
        ({"amount": money("0.001")}, "/amount"),
        ({"amount": money("1e3")}, "/amount/amount"),
        ({"amount": money("1" * 13)}, "/amount/amount"),
        ({"amount": money("NaN")}, "/amount/amount"),
        ({"amount": money(" 5")}, "/amount/amount"),
        ({"amount": money("\u0665")}, "/amount/amount"),
        ({"amount": {"amount": 5, "currency": "USD"}}, "/amount/amount"),
        ({"amount": {"amount": "5"}}, "/amount/currency"),
        ({"maximum": money("19.99")}, "/maximum"),
        ({"maximum": money("0")}, "/maximum"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    world: World, change: dict[str, Any], pointer: str
) -> None:
    etag = get(world, "/auto-recharge").headers["etag"]
    found = put_policy(world, {**FIXED, **change}, etag)
    assert (found.status, found.body["errors"][0]["pointer"]) == (422, pointer)
    assert get(world, "/auto-recharge").headers["etag"] == etag


def test_who_agreed_to_the_settings_is_kept(world: World) -> None:
    put_policy(world, FIXED, get(world, "/auto-recharge").headers["etag"])
    (record,) = world.book.audit_records(ACME)
    assert (record.actor, record.action) == ("acme-billing-admin", "auto_recharge.set")
    assert record.acceptance is not None
    assert record.acceptance.last_name == "Coyote"


# Recharges


def test_a_recharge_is_collected_once_and_answered_again(world: World) -> None:
    world.add_source()
    first = post_recharge(world)
    assert first.status == 201
    assert first.body["state"] == "succeeded"
    assert first.body["amount"] == money("25.00")
    world.clock.advance(timedelta(days=29))
    again = post_recharge(world)
    assert (again.status, again.text) == (201, first.text)
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert len(world.sandbox.captured()) == 1
    assert get(world, "").body["balance"]["settled"] == money("25.00")


def test_a_key_is_for_one_body(world: World) -> None:
    world.add_source()
    post_recharge(world)
    other = post_recharge(world, amount=money("25.01"))
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    assert len(world.sandbox.captured()) == 1


def test_a_key_guards_its_money_for_ever(world: World) -> None:
    world.add_source()
    post_recharge(world)
    world.clock.advance(timedelta(days=31))
    late = post_recharge(world)
    assert (late.status, late.code) == (409, "idempotency_key_expired")
    assert len(world.sandbox.captured()) == 1


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (None, "idempotency_key_required"),
        ("", "invalid_idempotency_key"),
        ("k" * 256, "invalid_idempotency_key"),
        ("k\u00e9y", "invalid_idempotency_key"),
        ("k\ny", "invalid_idempotency_key"),
    ],
)
def test_a_recharge_needs_a_key(world: World, key: str | None, code: str) -> None:
    headers = {} if key is None else {"Idempotency-Key": key}
    path = f"{ACCOUNT}/recharges"
    found = world.call("POST", path, RECHARGE, token=ADMIN, headers=headers)
    assert (found.status, found.code) == (400, code)


def test_the_longest_key_is_taken(world: World) -> None:
    world.add_source()
    assert post_recharge(world, key="~" * 255).status == 201


def test_a_decline_is_answered_and_answered_again(world: World) -> None:
    world.add_source("tok_declines")
    first = post_recharge(world)
    assert (first.status, first.code) == (402, "payment_declined")
    assert first.body["recharge"]["failure_code"] == "insufficient_funds"
    again = post_recharge(world)
    assert (again.status, again.text) == (402, first.text)
    assert again.headers["idempotency-replayed"] == "true"
    assert get(world, "/ledger").body["data"] == []


class Hanging(SandboxGateway):
    """Does not answer, until it does."""

    def __init__(self) -> None:
        super().__init__(InMemorySandboxBook(), FixedClock(NOW))
        self.hangs = True

    def charge(self, request: ChargeRequest) -> Outcome:
        if self.hangs:
            raise PaymentUnknownError("no answer")
        return super().charge(request)


def test_an_outcome_not_known_yet_leads_to_an_operation() -> None:
    gateway = Hanging()
    world = seeded(gateway)
    world.add_source()
    first = post_recharge(world)
    assert (first.status, first.body["state"]) == (202, "unknown")
    path = first.headers["location"].removeprefix("https://billing.example.com")
    assert path == f"{ACCOUNT}/operations/{first.body['operation']}"
    again = post_recharge(world)
    assert (again.status, again.text) == (202, first.text)
    other = post_recharge(world, key="another")
    assert (other.status, other.code) == (409, "recharge_in_progress")
    (opened,) = get(world, "").body["recharge"]["open"]
    assert (opened["state"], opened["source"]) == ("unknown", first.body["recharge"]["source"])

    gateway.hangs = False
    world.talktime.collect_recharge.collect(ACME)
    found = world.call("GET", path, token=ADMIN).body
    assert (found["state"], found["recharge"]["state"]) == ("succeeded", "succeeded")
    settled = post_recharge(world)
    assert (settled.status, settled.body) == (201, found["recharge"])


def test_a_request_in_flight_is_not_begun_again(world: World, monkeypatch: Any) -> None:
    world.add_source()
    inner: list[Reply] = []
    charge = InMemorySandbox.charge

    def charge_while_asked_again(self: Any, request: ChargeRequest) -> Outcome:
        if not inner:
            inner.append(post_recharge(world))
        return charge(self, request)

    monkeypatch.setattr(InMemorySandbox, "charge", charge_while_asked_again)
    assert post_recharge(world).status == 201
    (second,) = inner
    assert (second.status, second.code) == (409, "request_in_flight")
    assert second.headers["retry-after"] == "1"
    assert len(world.sandbox.captured()) == 1


def test_a_repetition_finishes_what_a_crashed_request_left_behind(
    world: World, monkeypatch: Any
) -> None:
    world.add_source()
    charge = InMemorySandbox.charge

    def charge_and_crash(self: Any, request: ChargeRequest) -> Outcome:
        charge(self, request)
        raise OSError("the worker's machine went away")

    monkeypatch.setattr(InMemorySandbox, "charge", charge_and_crash)
    assert post_recharge(world).status == 500
    monkeypatch.setattr(InMemorySandbox, "charge", charge)
    world.clock.advance(ABANDONED_AFTER)
    assert post_recharge(world).code == "request_in_flight"
    world.clock.advance(timedelta(seconds=1))
    found = post_recharge(world)
    assert (found.status, found.headers["idempotency-replayed"]) == (201, "true")
    assert len(world.sandbox.captured()) == 1
    assert world.book.account(ACME).wallet_micros == 25_000_000


@pytest.mark.parametrize(
    ("amount", "pointer"),
    [
        (money("0"), "/amount"),
        (money("-25.00"), "/amount"),
        (money("0.001"), "/amount"),
        (money("25.00", "EUR"), "/amount/currency"),
        (money("25.00", "usd"), "/amount/currency"),
        (money("1e126"), "/amount/amount"),
        (money("9" * 39), "/amount/amount"),
        ("25.00", "/amount"),
        (25, "/amount"),
        (None, "/amount"),
    ],
)
def test_an_amount_that_cannot_be_is_refused(world: World, amount: Any, pointer: str) -> None:
    world.add_source()
    found = post_recharge(world, amount=amount)
    assert (found.status, found.body["errors"][0]["pointer"]) == (422, pointer)
    assert world.sandbox.captured() == []


def test_the_largest_and_smallest_amounts_are_collected(world: World) -> None:
    world.add_source()
    assert post_recharge(world, key="1", amount=money("0.01")).status == 201
    assert post_recharge(world, key="2", amount=money("999999999999.99")).status == 201
    assert get(world, "").body["balance"]["settled"] == money("1000000000000.00")
    # One more would be more than an account can hold, and nothing of it is collected.
    over = post_recharge(world, key="3", amount=money("0.01"))
    assert over.status == 422
    assert len(world.sandbox.captured()) == 2


def test_without_a_source_nothing_is_collected(world: World) -> None:
    found = post_recharge(world)
    assert (found.status, found.code) == (409, "no_funding_source")


def test_a_machine_recharges_without_an_acceptance(world: World) -> None:
    world.add_source()
    body = {"amount": money("5.00")}
    headers = {"Idempotency-Key": "m"}
    found = world.call("POST", f"{ACCOUNT}/recharges", body, token=SERVICE, headers=headers)
    assert found.status == 201


def test_a_replay_does_not_ask_for_newer_terms(world: World) -> None:
    world.add_source()
    first = post_recharge(world)
    catalog = world.call("GET", "/v1/catalog", token=OPERATOR)
    renewed = {
        "terms_version": "2027-01",
        "plans": catalog.body["plans"],
    }
    headers = {"If-Match": catalog.headers["etag"]}
    assert world.call("PUT", "/v1/catalog", renewed, token=OPERATOR, headers=headers).status == 200
    assert post_recharge(world).text == first.text
    assert post_recharge(world, key="new").code == "acceptance_required"


def test_a_busy_book_asks_to_try_again(world: World, monkeypatch: Any) -> None:
    world.add_source()

    def contended(_change: object) -> None:
        raise BookContendedError("throttled")

    monkeypatch.setattr(world.book, "commit", contended)
    monkeypatch.setattr(world.talktime.change_account, "_sleep", lambda _seconds: None)
    found = post_recharge(world)
    assert (found.status, found.code, found.headers["retry-after"]) == (503, "busy", "1")


def test_recharges_are_listed_newest_first(world: World) -> None:
    world.add_source()
    for number in range(3):
        post_recharge(world, key=str(number))
    page = get(world, "/recharges", limit="2").body
    assert [row["recharge"] for row in page["data"]] == [3, 2]
    rest = get(world, "/recharges", limit="2", cursor=page["next_cursor"]).body
    assert [row["recharge"] for row in rest["data"]] == [1]
    assert rest["next_cursor"] is None


# Funding sources


def test_a_source_shows_no_token(world: World) -> None:
    world.add_source()
    world.add_source(key="second")
    found = get(world, "/funding-sources")
    assert [row["is_default"] for row in found.body["data"]].count(True) == 1
    assert "tok_" not in found.text


def test_a_source_is_added_once(world: World) -> None:
    def post(key: str, **change: str) -> Reply:
        path = f"{ACCOUNT}/funding-sources"
        headers = {"Idempotency-Key": key}
        return world.call("POST", path, {**SOURCE, **change}, token=ADMIN, headers=headers)

    first = post("k")
    world.add_source(key="another")
    again = post("k")
    assert (again.status, again.text) == (201, first.text)
    assert again.headers["idempotency-replayed"] == "true"
    assert post("k", label="Other").code == "idempotency_key_reused"
    assert len(get(world, "/funding-sources").body["data"]) == 2


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"gateway": "stripe"}, "/gateway"),
        ({"token": "card"}, "/token"),
        ({"token": "tok_"}, "/token"),
        ({"label": ""}, "/label"),
        ({"label": "a\tb"}, "/label"),
    ],
)
def test_a_source_that_cannot_be_is_refused(
    world: World, change: dict[str, str], pointer: str
) -> None:
    headers = {"Idempotency-Key": "k"}
    path = f"{ACCOUNT}/funding-sources"
    found = world.call("POST", path, {**SOURCE, **change}, token=ADMIN, headers=headers)
    assert (found.status, found.body["errors"][0]["pointer"]) == (422, pointer)


def test_an_acceptance_names_every_missing_part(world: World) -> None:
    world.add_source()
    found = post_recharge(world, acceptance={"first_name": "Wile", "accepted": True})
    assert [error["pointer"] for error in found.body["errors"]] == [
        "/acceptance/last_name",
        "/acceptance/terms_version",
    ]
    mixed = post_recharge(world, acceptance={**ACCEPTANCE, "accepted": 1}, amount=5)
    assert mixed.code == "invalid_input"


def test_an_operation_that_is_pending_is_shown(world: World) -> None:
    pending = Operation(
        "op_" + "a" * 40, "b", ACME, OperationState.PENDING, None, world.clock.now()
    )
    world.book._operations[ACME, pending.operation_id] = pending
    found = get(world, f"/operations/{pending.operation_id}")
    assert (found.status, found.body["state"]) == (200, "pending")
