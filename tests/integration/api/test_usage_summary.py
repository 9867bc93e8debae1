"""Usage as charts and filters see it: summaries, and the list with everything it can be asked."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest

from billing.domain.units import Direction
from billing.domain.usage import CallStatus
from billing.services import list_usage
from billing.services.project_usage import ProjectUsage
from builders import a_usage_event
from fakes.countries import country_of
from integration.api.client import (
    ACME,
    ADMIN,
    GLOBEX_ADMIN,
    MEMBER,
    NOW,
    OPERATOR,
    SERVICE,
    Reply,
    Token,
    World,
    seeded,
)

USAGE = "/v1/accounts/main/usage"
SUMMARY = f"{USAGE}/summary"
SINCE_THE_13TH: dict[str, Any] = {"from": "2026-03-13"}
TWO_DAYS: dict[str, Any] = {"from": "2026-03-08", "to": "2026-03-10"}


@pytest.fixture
def world() -> World:
    world = seeded()
    world.clock.advance(timedelta(minutes=10))
    return world


def project(world: World) -> None:
    projector = ProjectUsage(world.book, world.summaries, country_of)
    projector.project(ACME, world.book.account(ACME).head.sequence)


def summary(world: World, token: Token = ADMIN, **query: Any) -> Reply:
    return world.call("GET", SUMMARY, token=token, **query)


def test_a_summary_adds_up_what_was_posted(world: World) -> None:
    world.use(ACME, 12)
    project(world)
    found = summary(world, **SINCE_THE_13TH).body
    assert (found["from"], found["to"]) == ("2026-03-13", "2026-03-15")
    assert (found["by"], found["time_zone"], found["currency"]) == (
        "day",
        "America/New_York",
        "USD",
    )
    row = {
        "calls": 12,
        "voice_seconds": 12 * 120,
        "granted_voice_seconds": 600,
        "messages": 0,
        "granted_messages": 0,
        "wallet": {"amount": "8.40", "currency": "USD"},
    }
    assert found["data"][1] == {"key": "2026-03-14", **row}
    assert found["total"] == {"key": "total", **row}
    assert found["data"][0]["calls"] == 0
    assert found["pending_entries"] == 0


def test_what_is_not_summarised_yet_is_counted(world: World) -> None:
    world.use(ACME, 2)
    project(world)
    world.use(ACME, 3, first=3)
    found = summary(world).body
    assert (found["pending_entries"], found["total"]["calls"]) == (3, 2)


@pytest.mark.parametrize(
    ("by", "rows"), [("day", 2), ("hour", 47), ("direction", 2), ("destination", 1)]
)
def test_every_series_has_the_same_total(world: World, by: str, rows: int) -> None:
    """Clocks went forward on the 8th: two days of 47 hours, whose ends hold all there is."""
    world.post_usage(ACME, a_usage_event(1, NOW - timedelta(days=6)))
    world.use(ACME, 2, first=2)
    project(world)
    found = summary(world, by=by, **TWO_DAYS).body
    assert len(found["data"]) == rows
    assert sum(row["calls"] for row in found["data"]) == found["total"]["calls"] == 1


def test_a_member_sees_no_money(world: World) -> None:
    world.use(ACME, 12)
    project(world)
    for token in (ADMIN, SERVICE):
        assert "8.40" in summary(world, token).text
    reply = summary(world, MEMBER)
    assert reply.status == 200
    assert reply.body["total"]["calls"] == 12
    assert "wallet" not in reply.text
    text = world.call("GET", SUMMARY, token=MEMBER, headers={"Accept": "text/csv"}).text
    assert "8.40" not in text


def test_a_summary_as_csv(world: World) -> None:
    world.use(ACME, 12)
    project(world)
    reply = world.call(
        "GET", SUMMARY, token=ADMIN, headers={"Accept": "text/csv"}, by="destination"
    )
    assert reply.headers["content-type"].startswith("text/csv")
    (row,) = csv.DictReader(io.StringIO(reply.text))
    assert (row["key"], row["calls"], row["wallet.amount"]) == ("US", "12", "8.40")


def test_an_operator_names_the_tenant_and_others_miss(world: World) -> None:
    world.use(ACME, 1)
    project(world)
    headers = {"Talktime-Tenant": "acme"}
    found = world.call("GET", SUMMARY, token=OPERATOR, headers=headers).body
    assert found["total"]["calls"] == 1
    assert summary(world, GLOBEX_ADMIN).body["total"]["calls"] == 0


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        pytest.param({"by": "month"}, "/by", id="not a series"),
        pytest.param({"from": "2026-03-14T00:00:00Z"}, "/from", id="days, not instants"),
        pytest.param({"from": "2026-03-14", "to": "2026-03-14"}, "/to", id="no day at all"),
        pytest.param({"from": "2020-01-01"}, "/from", id="too many days"),
        pytest.param({"by": "hour", "from": "2026-01-01"}, "/from", id="too many hours"),
        pytest.param({"to": "2000-01-01", "from": "2099-12-31"}, "/to", id="backwards"),
        pytest.param({"country": "us"}, "/country", id="no country code"),
        pytest.param({"direction": "both"}, "/direction", id="no direction"),
        pytest.param({"limit": "5"}, "/limit", id="a series has no pages"),
    ],
)
def test_a_summary_that_makes_no_sense_is_refused(
    world: World, query: dict[str, Any], pointer: str
) -> None:
    reply = summary(world, **query)
    assert (reply.status, reply.code) == (422, "invalid_input")
    assert [error["pointer"] for error in reply.body["errors"]] == [pointer]


UNANSWERED = {"status": CallStatus.NO_ANSWER, "quantity": 0, "answered_at": None}
CALLS: dict[int, dict[str, Any]] = {
    1: {},
    2: {"direction": Direction.INBOUND, "to_number": "+14155550100", **UNANSWERED},
    3: {**UNANSWERED, "status": CallStatus.BUSY},
    4: {"to_number": "+14165550123", "connection_id": "other"},
    5: {**UNANSWERED, "to_number": "+442079460000", "connection_id": "acme-plivo"},
    6: {},
}


def listed(world: World, **query: Any) -> list[int]:
    """Numbers of the calls on all pages, of one call each."""
    numbers = {a_usage_event(number).key.call_id: number for number in CALLS}
    found: list[int] = []
    cursor: dict[str, Any] = {}
    while True:
        reply = world.call("GET", USAGE, token=ADMIN, **query, limit="1", **cursor)
        assert reply.status == 200, reply.text
        found += [numbers[row["call_id"]] for row in reply.body["data"]]
        if reply.body["next_cursor"] is None:
            return found
        cursor = {"cursor": reply.body["next_cursor"]}


@pytest.fixture
def used(world: World) -> World:
    for numbers in ((1, 2), (3, 4, 5), (6,)):
        events = [a_usage_event(n, world.clock.now(), **CALLS[n]) for n in numbers]
        world.post_usage(ACME, *events)
        world.clock.advance(timedelta(minutes=1))
    return world


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        pytest.param({}, [1, 2, 3, 4, 5, 6], id="everything"),
        pytest.param({"direction": "inbound"}, [2], id="direction"),
        pytest.param({"status": "no_answer"}, [2, 5], id="status"),
        pytest.param({"connection": "other"}, [4], id="connection"),
        pytest.param({"destination": "+1416"}, [4], id="prefix"),
        pytest.param({"destination": " 44"}, [5], id="prefix whose plus became a blank"),
        pytest.param({"country": "GB"}, [5], id="country"),
        pytest.param({"country": "ZZ"}, [4], id="no country known here"),
        pytest.param({"unit": "messages"}, [], id="unit"),
        pytest.param({"unit": "voice_seconds", "status": "completed"}, [1, 4, 6], id="two"),
        pytest.param({"to": "2026-03-14T12:11:00Z", "country": "US"}, [1, 2], id="window"),
    ],
)
def test_usage_is_filtered(used: World, query: dict[str, Any], numbers: list[int]) -> None:
    assert listed(used, **query) == numbers


@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_filter_that_passes_little_makes_pages_that_go_on(
    used: World, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(list_usage, "MAX_READ", most)
    monkeypatch.setattr(list_usage, "CALLS_PER_READ", most)
    first = used.call("GET", USAGE, token=ADMIN, country="GB", limit="5").body
    assert first["data"] == []
    assert first["next_cursor"] is not None
    assert listed(used, country="GB") == [5]


def test_a_cursor_belongs_to_its_filter(used: World) -> None:
    cursor = used.call("GET", USAGE, token=ADMIN, country="US", limit="1").body["next_cursor"]
    others: list[dict[str, Any]] = [
        {},
        {"country": "GB"},
        {"country": "US", "status": "completed"},
    ]
    for query in others:
        reply = used.call("GET", USAGE, token=ADMIN, cursor=cursor, **query)
        assert (reply.status, reply.code) == (400, "invalid_cursor")


@pytest.mark.parametrize(
    "query",
    [
        {"destination": "US"},
        {"destination": "+"},
        {"destination": "+1234567890123456"},
        {"country": "GBR"},
        {"status": "answered"},
        {"connection": "a#b"},
        {"unit": "Minutes"},
        {"direction": ""},
    ],
    ids=str,
)
def test_a_filter_that_makes_no_sense_is_refused(world: World, query: dict[str, Any]) -> None:
    reply = world.call("GET", USAGE, token=ADMIN, **query)
    assert (reply.status, reply.code) == (422, "invalid_input")
