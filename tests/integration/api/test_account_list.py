"""The tenant's accounts together: each in short, and what they hold by currency."""

from billing.domain.account import AccountRef
from builders import USD, a_credit
from integration.api.client import ACME, ADMIN, GLOBEX_ADMIN, MEMBER, SERVICE, World, seeded

PATH = "/v1/accounts"


def opened(world: World, name: str) -> str:
    body = {
        "name": name,
        "currency": "EUR",
        "time_zone": "Europe/Berlin",
        "plan": "growth",
        "billing_day": 1,
    }
    found = world.call("POST", PATH, body, token=ADMIN, headers={"Idempotency-Key": name})
    assert found.status == 201, found.text
    return str(found.body["account"])


def credit(world: World, ref: AccountRef, micros: int) -> None:
    world.book.commit(a_credit(world.book.account(ref), micros, "credit", world.clock.now()))


def money(amount: str, currency: str = "USD") -> dict[str, str]:
    return {"amount": amount, "currency": currency}


def test_each_account_is_listed_with_how_it_stands() -> None:
    world = seeded()
    credit(world, ACME, 20 * USD)
    (row,) = world.call("GET", PATH, token=ADMIN).body["data"]
    zero, twenty = money("0.00"), money("20.00")
    assert row == {
        "account": "main",
        "name": "Acme",
        "created_at": "2026-03-14T12:00:00Z",
        "currency": "USD",
        "standing": "good",
        "balance": {"settled": twenty, "reserved": zero, "available": twenty},
        "runway_days": None,
        "recharge": {"state": "off", "message": "Automatic recharge is off.", "until": None},
    }
    alone = world.call("GET", f"{PATH}/main", token=ADMIN).body
    assert alone["balance"] == row["balance"]


def test_the_list_and_the_account_say_the_same_of_reservations_and_runway() -> None:
    world = seeded()
    credit(world, ACME, 60 * USD)
    world.use(ACME, 25)
    wanted = {
        "account": "default",
        "call_id": "c-1",
        "direction": "outbound",
        "kind": "call",
        "to": "+14155550123",
    }
    allowed = world.call("POST", "/v1/calls/authorize", wanted, token=SERVICE)
    assert allowed.body["allowed"], allowed.text
    (row,) = world.call("GET", PATH, token=ADMIN).body["data"]
    alone = world.call("GET", f"{PATH}/main", token=ADMIN).body
    assert row["balance"] == alone["balance"]
    assert row["balance"]["reserved"] != money("0.00")
    assert row["runway_days"] == alone["runway_days"]
    assert row["recharge"]["state"] == alone["recharge"]["state"]


def test_totals_are_by_currency_and_told_once() -> None:
    world = seeded()
    credit(world, ACME, 20 * USD)
    for number in range(3):
        credit(world, AccountRef("acme", opened(world, f"b{number}")), 7 * USD)
    first = world.call("GET", PATH, token=ADMIN, limit="2").body
    totals = {one["currency"]: (one["accounts"], one["balance"]) for one in first["totals"]}
    assert totals["USD"][0] == 1
    assert (totals["EUR"][0], totals["EUR"][1]["available"]) == (3, money("21.00", "EUR"))
    assert len(first["data"]) == 2
    cursor = first["next_cursor"]
    second = world.call("GET", PATH, token=ADMIN, limit="2", cursor=cursor).body
    assert (len(second["data"]), second["next_cursor"]) == (2, None)
    assert "totals" not in second
    assert len({row["account"] for row in first["data"] + second["data"]}) == 4


def test_a_member_sees_accounts_and_no_money() -> None:
    world = seeded()
    credit(world, ACME, 20 * USD)
    found = world.call("GET", PATH, token=MEMBER)
    (row,) = found.body["data"]
    assert set(row) == {"account", "name", "created_at", "currency", "standing"}
    assert "totals" not in found.body
    assert "amount" not in found.text


def test_another_tenants_money_is_in_no_total() -> None:
    world = seeded()
    credit(world, ACME, 20 * USD)
    (total,) = world.call("GET", PATH, token=GLOBEX_ADMIN).body["totals"]
    assert (total["accounts"], total["balance"]["settled"]) == (1, money("0.00"))
