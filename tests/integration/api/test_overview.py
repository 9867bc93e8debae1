"""The overview: what the billing page draws, beyond balance and quotas."""

from datetime import timedelta
from typing import Any

import pytest

from billing.services.project_usage import ProjectUsage
from fakes.countries import country_of
from integration.api.client import ACCEPTANCE, ACME, ADMIN, MEMBER, RECHARGE, Token, World, seeded
from integration.api.test_licences import Stage
from integration.api.test_numbers import E164, NumberWorld

PATH = "/v1/accounts/default"


def overview(world: World, token: Token = ADMIN, path: str = PATH) -> Any:
    found = world.call("GET", path, token=token)
    assert found.status == 200, found.text
    return found.body


def project(world: World) -> None:
    projector = ProjectUsage(world.book, world.summaries, country_of)
    projector.project(ACME, world.book.account(ACME).head.sequence)


@pytest.fixture
def world() -> World:
    world = seeded()
    world.add_source()
    headers = {"Idempotency-Key": "r"}
    world.call("POST", f"{PATH}/recharges", RECHARGE, token=ADMIN, headers=headers)
    return world


def test_the_balance_is_told_in_minutes_at_what_they_cost(world: World) -> None:
    # Ten minutes are granted; the two that the wallet pays for cost 0.60 each.
    world.use(ACME, 5)
    project(world)
    assert overview(world)["approximate_minutes"] is None
    world.use(ACME, 1, first=6)
    project(world)
    found = overview(world)
    assert found["balance"]["available"]["amount"] == "23.80"
    assert found["approximate_minutes"] == 39


def test_what_was_used_30_days_ago_has_no_price_today(world: World) -> None:
    world.use(ACME, 6)
    project(world)
    world.clock.advance(timedelta(days=29))
    assert overview(world)["approximate_minutes"] == 39
    world.clock.advance(timedelta(days=1))
    assert overview(world)["approximate_minutes"] is None


def test_numbers_are_shown_with_why_they_are_on_hold_and_these_first() -> None:
    world = NumberWorld()
    later = "+14155550199"
    world.order()
    world.operate("provisioned")
    world.order(later, auto_pay=False)
    world.operate("provisioned", later)
    world.turn()
    shown = [(one["number"], one["hold_reason"]) for one in overview(world)["numbers"]]
    assert shown == [(later, "auto_pay_off"), (E164, None)]
    assert overview(world)["numbers"][0]["release_at"] is not None


def test_the_next_payment_has_the_numbers_that_are_renewed_in_it() -> None:
    world = NumberWorld()
    world.order()
    assert overview(world)["next_payment"]["amount"]["amount"] == "0.00", "not provided yet"
    world.operate("provisioned")
    due = {"on": "2026-05-01", "amount": {"amount": "3.00", "currency": "USD"}}
    assert overview(world)["next_payment"] == due
    world.call(
        "POST",
        f"{PATH}/numbers/{E164}/release",
        {"acceptance": ACCEPTANCE},
        token=ADMIN,
    )
    assert overview(world)["next_payment"]["amount"]["amount"] == "0.00", "it is let go of"


def test_a_number_that_is_gone_is_not_shown() -> None:
    world = NumberWorld()
    world.order()
    world.operate("failed")
    assert overview(world)["numbers"] == []


def test_licences_are_counted_for_admins_and_a_member_sees_his_own() -> None:
    stage = Stage()
    found = overview(stage.world, ADMIN, stage.path)["licences"]
    assert [(one["licence"], one["quantity"], one["free"]) for one in found] == [
        ("dialler", 2, 2),
        ("flex", 2, 2),
        ("seat", 1, 1),
    ]
    assert stage.assign("seat", stage.zoe).status == 200
    zoe = MEMBER.but(sub="sub-zoe")
    mine = overview(stage.world, zoe, stage.path)["licences"]
    assert [one["licence"] for one in mine] == ["dialler", "seat"]
    assert all("quantity" not in one for one in mine)
