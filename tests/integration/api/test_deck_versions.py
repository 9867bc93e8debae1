"""Drafts of rate decks: compared, tried on past usage, activated, and uploaded past a request."""

from datetime import timedelta
from typing import Any

import pytest

from api.schemas.deck_versions import MAX_UPLOAD_BYTES
from billing.services import diff_decks
from billing.services.upload_deck import DECK_LEAD
from builders import a_usage_event
from integration.api.client import DECK, NOW, OPERATOR, RATES, Reply, World, seeded

PATH = f"/v1/rate-decks/{DECK}"
CSV = {"Content-Type": "text/csv"}
DEARER = RATES.replace("0.60", "0.90") + "44,United Kingdom,0.30,0,60,60\n"
NO_AMERICA = DEARER.replace("1,United States", "41,Switzerland")
SOON = (NOW + DECK_LEAD).isoformat()


@pytest.fixture
def world() -> World:
    return seeded()


def put(world: World, content: str = DEARER, **query: str) -> Reply:
    sent = {"currency": "USD", "activate": "false", **query}
    return world.call("PUT", PATH, content, token=OPERATOR, headers=CSV, **sent)


def post(world: World, path: str, body: Any) -> Reply:
    return world.call("POST", f"{PATH}/{path}", body, token=OPERATOR)


def quoted(world: World) -> str:
    asked = {"to": "+14155550100", "duration_seconds": 60}
    return str(post(world, "quote", asked).body["total"]["amount"])


# Drafts


def test_a_draft_prices_nothing(world: World) -> None:
    found = put(world)
    assert (found.status, found.body["version"]) == (201, 2)
    assert (found.body["draft"], found.body["effective_at"]) == (True, None)
    world.clock.advance(timedelta(days=365))
    assert quoted(world) == "0.60"
    deck = world.call("GET", PATH, token=OPERATOR).body
    assert (deck["current"]["version"], deck["latest"]["version"]) == (1, 2)
    rows = world.call("GET", f"{PATH}/versions", token=OPERATOR).body["data"]
    assert [(row["version"], row["draft"]) for row in rows] == [(2, True), (1, False)]


def test_the_same_draft_again_is_the_same_version(world: World) -> None:
    first, again = put(world), put(world)
    assert (first.status, again.status, again.body) == (201, 200, first.body)


def test_a_version_like_a_draft_is_another(world: World) -> None:
    put(world)
    found = put(world, activate="true")
    assert (found.status, found.body["version"], found.body["draft"]) == (201, 3, False)


def test_a_draft_has_no_date(world: World) -> None:
    found = put(world, effective_at="2027-01-01T00:00:00Z")
    assert (found.status, found.body["errors"][0]["pointer"]) == (422, "/effective_at")


def test_a_draft_names_line_and_column_of_what_is_wrong(world: World) -> None:
    found = put(world, RATES + "44,United Kingdom,cheap,0,60,60\n")
    assert (found.status, found.code) == (422, "invalid_rate_deck")
    (error,) = found.body["errors"]
    assert (error["line"], error["column"]) == (3, "rate")


@pytest.mark.parametrize("value", ["1", "True", "", "no"])
def test_activate_is_true_or_false(world: World, value: str) -> None:
    found = put(world, activate=value)
    assert (found.status, found.body["errors"][0]["pointer"]) == (422, "/activate")


def test_a_deck_of_drafts_alone_is_seen_and_prices_nothing(world: World) -> None:
    sent = {"currency": "EUR", "activate": "false"}
    world.call("PUT", "/v1/rate-decks/new", DEARER, token=OPERATOR, headers=CSV, **sent)
    rows = world.call("GET", "/v1/rate-decks", token=OPERATOR).body["data"]
    assert [(row["deck"], row["current"] is None) for row in rows] == [("new", True), (DECK, False)]
    asked = {"to": "+14155550100", "duration_seconds": 60}
    found = world.call("POST", "/v1/rate-decks/new/quote", asked, token=OPERATOR)
    assert found.code in ("not_found", "no_rate_deck")
    path = "/v1/rate-decks/new/versions/1/activate"
    past = {"effective_at": "2026-01-01T00:00:00Z"}
    assert world.call("POST", path, past, token=OPERATOR).status == 200, "nothing was priced yet"
    assert world.call("POST", "/v1/rate-decks/new/quote", asked, token=OPERATOR).status == 200


# Activation


def test_a_draft_takes_effect_from_its_date_and_no_sooner(world: World) -> None:
    put(world)
    found = post(world, "versions/2/activate", {"effective_at": SOON})
    assert (found.status, found.body["draft"]) == (200, False)
    assert found.body["effective_at"] == SOON.replace("+00:00", "Z")
    world.clock.advance(DECK_LEAD - timedelta(microseconds=1))
    assert quoted(world) == "0.60"
    world.clock.advance(timedelta(microseconds=1))
    assert quoted(world) == "0.90"


def test_without_a_date_it_takes_effect_as_soon_as_it_can(world: World) -> None:
    put(world)
    assert post(world, "versions/2/activate", {}).body["effective_at"] == SOON.replace(
        "+00:00", "Z"
    )


def test_activating_again_changes_nothing(world: World) -> None:
    put(world)
    first = post(world, "versions/2/activate", {"effective_at": SOON})
    world.clock.advance(timedelta(days=1))
    for body in ({}, {"effective_at": SOON}):
        assert post(world, "versions/2/activate", body).body == first.body
    other = {"effective_at": (NOW + timedelta(days=9)).isoformat()}
    found = post(world, "versions/2/activate", other)
    assert (found.status, found.code) == (409, "conflict")


def test_every_worker_hears_of_it_before_it_takes_effect(world: World) -> None:
    put(world)
    early = {"effective_at": (NOW + DECK_LEAD - timedelta(microseconds=1)).isoformat()}
    found = post(world, "versions/2/activate", early)
    assert (found.status, found.body["errors"][0]["pointer"]) == (422, "/effective_at")
    assert world.decks.uploaded(DECK)[1].is_draft


def test_a_deck_keeps_its_currency(world: World) -> None:
    put(world, currency="EUR")
    found = post(world, "versions/2/activate", {})
    assert (found.status, found.body["errors"][0]["pointer"]) == (422, "/currency")


@pytest.mark.parametrize("name", ["0", "3", "-1", "01", "1e0", "one", "9" * 40])
@pytest.mark.parametrize("verb", ["activate", "diff"])
def test_a_version_that_does_not_exist_is_not_found(world: World, verb: str, name: str) -> None:
    assert post(world, f"versions/{name}/{verb}", {}).code == "not_found"


# Differences


def test_a_diff_says_what_would_change(world: World) -> None:
    put(world)
    found = post(world, "versions/2/diff", {})
    assert found.status == 200
    body = found.body
    assert (body["before"]["version"], body["after"]["version"]) == (1, 2)
    assert (body["unchanged"], body["is_empty"], body["dry_run"]) == (0, False, None)
    assert {way: count for way, count in body["counts"].items() if count} == {
        "added": 1,
        "dearer": 1,
    }
    changes = {change["prefix"]: change for change in body["examples"]}
    america, britain = changes["1"], changes["44"]
    assert (america["difference"], america["unit"], america["direction"]) == (
        "dearer",
        "voice",
        "outbound",
    )
    rates = [[row["rate"] for row in america[side]] for side in ("before", "after")]
    assert rates == [["0.6"], ["0.9"]]
    assert (britain["difference"], britain["before"]) == ("added", [])


def test_a_diff_with_itself_is_empty(world: World) -> None:
    body = post(world, "versions/1/diff", {}).body
    assert (body["is_empty"], body["unchanged"], body["examples"]) == (True, 1, [])


def test_two_drafts_are_compared(world: World) -> None:
    put(world)
    put(world, NO_AMERICA)
    body = post(world, "versions/3/diff", {"against": 2}).body
    assert {way: count for way, count in body["counts"].items() if count} == {
        "added": 1,
        "removed": 1,
    }
    assert body["unchanged"] == 1


def test_what_it_is_compared_with_exists(world: World) -> None:
    assert post(world, "versions/1/diff", {"against": 7}).code == "not_found"


def test_a_dry_run_prices_past_usage_by_both(world: World) -> None:
    ref = next(ref for ref in world.book.account_refs() if ref.tenant_id == "acme")
    world.use(ref, 3)
    world.post_usage(ref, a_usage_event(9, world.clock.now(), quantity=0, answered_at=None))
    put(world)
    past = {"account": {"tenant": "acme", "account": "default"}, "from": "2026-03-01"}
    run = post(world, "versions/2/diff", {"dry_run": past}).body["dry_run"]
    assert (run["calls"], run["is_complete"]) == (3, True)
    assert run["before"] == {"amount": "3.60", "currency": "USD"}
    assert run["after"] == {"amount": "5.40", "currency": "USD"}
    assert run["counts"]["dearer"] == len(run["examples"]) == 3
    assert "+1" not in str(run), "numbers are personal"
    nothing = post(world, "versions/2/diff", {"dry_run": past | {"to": "2026-03-02"}}).body
    assert nothing["dry_run"]["calls"] == 0


def test_a_dry_run_shows_what_would_have_no_price(world: World) -> None:
    ref = next(ref for ref in world.book.account_refs() if ref.tenant_id == "acme")
    world.use(ref, 1)
    put(world, NO_AMERICA)
    past = {"account": {"tenant": "acme", "account": ref.account_id}, "from": "2026-03-01"}
    run = post(world, "versions/2/diff", {"dry_run": past}).body["dry_run"]
    assert run["counts"]["removed"] == 1
    (example,) = run["examples"]
    assert (example["before"]["amount"], example["after"]) == ("1.20", None)


def test_a_dry_run_says_when_it_has_not_seen_all(world: World, monkeypatch: Any) -> None:
    monkeypatch.setattr(diff_decks, "MAX_PAST_CALLS", 2)
    monkeypatch.setattr(diff_decks, "_PAGE", 1)
    ref = next(ref for ref in world.book.account_refs() if ref.tenant_id == "acme")
    world.use(ref, 3)
    past = {"account": {"tenant": "acme", "account": "default"}, "from": "2026-03-01"}
    run = post(world, "versions/1/diff", {"dry_run": past}).body["dry_run"]
    assert (run["calls"], run["is_complete"]) == (2, False)


def test_a_dry_run_names_an_account_that_exists(world: World) -> None:
    for tenant, account in (("acme", "nowhere"), ("nowhere", "default")):
        past = {"account": {"tenant": tenant, "account": account}, "from": "2026-03-01"}
        found = post(world, "versions/1/diff", {"dry_run": past})
        assert (found.status, found.body["errors"][0]["pointer"]) == (422, "/dry_run/account")


# Uploads


def test_an_upload_becomes_the_next_version(world: World) -> None:
    offer = post(world, "uploads", {"bytes": len(DEARER)})
    assert (offer.status, offer.body["method"]) == (201, "PUT")
    assert offer.body["headers"] == {"Content-Length": str(len(DEARER))}
    path = f"uploads/{offer.body['upload']}/complete"
    terms = {"currency": "USD", "activate": False}
    assert post(world, path, terms).code == "not_found", "nothing has been put there"
    world.deck_uploads.files[DECK, offer.body["upload"]] = DEARER.encode()
    found, again = post(world, path, terms), post(world, path, terms)
    assert (found.status, found.body["version"], found.body["draft"]) == (201, 2, True)
    assert (again.status, again.body) == (200, found.body)


def test_an_upload_names_line_and_column_of_what_is_wrong(world: World) -> None:
    world.deck_uploads.files[DECK, "file"] = b"prefix,destination,rate\n1,United States,\n"
    found = post(world, "uploads/file/complete", {"currency": "USD"})
    assert (found.status, found.code) == (422, "invalid_rate_deck")
    assert (found.body["errors"][0]["line"], found.body["errors"][0]["column"]) == (2, "rate")


def test_an_upload_of_another_deck_is_not_found(world: World) -> None:
    world.deck_uploads.files["another", "file"] = DEARER.encode()
    assert post(world, "uploads/file/complete", {"currency": "USD"}).code == "not_found"


@pytest.mark.parametrize(
    ("size", "status"), [(0, 422), (1, 201), (MAX_UPLOAD_BYTES, 201), (MAX_UPLOAD_BYTES + 1, 422)]
)
def test_an_upload_has_a_size(world: World, size: int, status: int) -> None:
    assert post(world, "uploads", {"bytes": size}).status == status
