"""Every state an account can be in is reached by what anybody can do, and shows in its overview."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from http.client import HTTPMessage
from typing import Any
from urllib.parse import parse_qsl

import pytest

from billing.adapters.telephony.registry import PROVIDERS
from billing.domain.records import TimerKind
from billing.services.bill_account import BillAccount
from billing.services.collect_invoices import CollectInvoices
from billing.services.post_usage import PostUsage
from billing.services.project_usage import ProjectUsage
from billing.services.renew_numbers import RenewNumbers
from billing.services.roll_period import RollPeriod
from billing.services.sweep_timers import SweepTimers
from billing.services.take_usage import TakeUsage
from fakes.countries import country_of
from fakes.usage_parts import InMemoryCarrierCosts, InMemoryUsageParts
from fakes.world import RecordingWorkQueue
from integration.api.client import NOW, OPERATOR, PUBLIC_URL, Token, World, a_token
from local import seed, states, states_table
from local.api import Answer, ApiError
from local.twilio import signed_callback
from usage_ingest import receive

END = NOW + timedelta(days=states.DAYS)


class WorldApi:
    """The API in memory, called as the local stack's is."""

    def __init__(self, world: World, token: Token) -> None:
        self._world = world
        self._token = token

    def get(self, path: str, **query: str) -> Answer:
        return self._call("GET", path, None, {}, query)

    def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        path, _, query = path.partition("?")
        sent = dict(headers or {})
        if isinstance(body, str):
            sent["Content-Type"] = "text/csv"
        return self._call(method, path, body, sent, dict(parse_qsl(query)))

    def _call(
        self,
        method: str,
        path: str,
        body: Any,
        headers: Mapping[str, str],
        query: Mapping[str, str],
    ) -> Answer:
        found = self._world.call(method, path, body, token=self._token, headers=headers, **query)
        if found.status >= 300:
            raise ApiError(method, path, found.status, found.body)
        kept = HTTPMessage()
        for name, value in found.headers.items():
            kept[name] = value
        return Answer(found.status, kept, found.body if found.text else None)


class InMemoryStage:
    """Everything deployed, in memory: the workers do what the sweeps have found."""

    def __init__(self) -> None:
        self.world = world = World()
        self.operator = WorldApi(world, OPERATOR)
        self._take_usage = TakeUsage(
            connections=world.connections,
            quarantine=world.quarantine,
            queue=world.usage_queue,
            parts=InMemoryUsageParts(),
            costs=InMemoryCarrierCosts(),
            clock=world.clock,
            providers=PROVIDERS,
        )
        self._roll_queue = RecordingWorkQueue()
        self._recharge_queue = RecordingWorkQueue()
        seed.seed(self.operator, NOW)

    def admin(self, tenant: str) -> WorldApi:
        return WorldApi(self.world, a_token("billing-admin", tenant))

    def now(self) -> datetime:
        return self.world.clock.now()

    def move_to(self, moment: datetime) -> None:
        self.world.clock.advance(moment - self.now())

    def post(self, connection: str, secret: str, params: Mapping[str, str]) -> None:
        url = f"{PUBLIC_URL}/webhooks/usage/{connection}"
        headers, body = signed_callback(url, secret, params)
        event = {
            "rawPath": f"/webhooks/usage/{connection}",
            "rawQueryString": "",
            "pathParameters": {"conn": connection},
            "headers": {name.lower(): value for name, value in headers.items()},
            "requestContext": {"http": {"method": "POST"}, "requestId": "request-1"},
            "body": body.decode(),
            "isBase64Encoded": False,
        }
        assert receive.handle(event, self._take_usage, PUBLIC_URL)["statusCode"] == 204

    def work(self) -> None:
        self._post_usage()
        self._roll()
        self._collect()

    def _post_usage(self) -> None:
        world = self.world
        service = PostUsage(
            book=world.book,
            decks=world.decks,
            quarantine=world.quarantine,
            clock=world.clock,
            change_account=world.talktime.change_account,
            settle_reservations=world.talktime.settle_reservations,
        )
        projector = ProjectUsage(world.book, world.summaries, country_of)
        for ref, events in world.usage_queue.take():
            service.post(ref, events)
            projector.project(ref, world.book.account(ref).head.sequence)

    def _roll(self) -> None:
        talktime = self.world.talktime
        parts: dict[str, Any] = {
            "book": talktime.book,
            "catalogs": talktime.catalogs,
            "change_account": talktime.change_account,
            "recharge_queue": self._recharge_queue,
        }
        for ref in self._due(self._roll_queue, TimerKind.PERIOD_END, TimerKind.BILLING):
            RollPeriod(talktime.change_account).roll(ref)
            BillAccount(clock=talktime.clock, **parts).bill(ref)
            RenewNumbers(reservations=talktime.reservations, **parts).renew(ref)

    def _collect(self) -> None:
        talktime = self.world.talktime
        parts: dict[str, Any] = {
            "book": talktime.book,
            "catalogs": talktime.catalogs,
            "gateways": talktime.gateways,
            "change_account": talktime.change_account,
            "collect_recharge": talktime.collect_recharge,
        }
        for ref in self._due(self._recharge_queue, TimerKind.RECHARGE, TimerKind.ALERT):
            talktime.collect_recharge.collect(ref)
            CollectInvoices(**parts).collect(ref)
            RenewNumbers(reservations=talktime.reservations, **parts).renew(ref)

    def _due(self, queue: RecordingWorkQueue, *kinds: TimerKind) -> list[Any]:
        sweep = SweepTimers(self.world.book, queue, self.world.clock)
        for kind in kinds:
            sweep.sweep(kind)
        return queue.take()


@pytest.fixture(scope="module")
def stage() -> InMemoryStage:
    return InMemoryStage()


@pytest.fixture(scope="module")
def tenants(stage: InMemoryStage) -> dict[str, states.Tenant]:
    return states.play(stage, END, lambda state: state.name)


Tenants = dict[str, states.Tenant]


def alerts(found: Any) -> list[tuple[str, str | None, int | None]]:
    return [(one["type"], one.get("reason"), one.get("percent")) for one in found["alerts"]]


def test_healthy_is_paid_for_and_nothing_stands(tenants: Tenants) -> None:
    found = tenants["healthy"].overview()
    assert (found["standing"], found["alerts"], found["numbers"]) == ("good", [], [])
    assert found["recharge"]["state"] == "ok"
    assert (found["owed"]["invoices"], found["owed"]["past_due_since"]) == ([], None)
    assert found["plan_expires_on"] == "2026-04-13"
    assert found["next_payment"] == {"on": "2026-04-14", "amount": states.usd("34.80")}
    assert [row["what"] for row in found["items"]] == ["solo", "crm-seat"]
    assert found["balance"]["available"] == states.usd("50.00")
    assert found["quotas"][0]["percentage_used"] == "20.00"


def test_eighty_percent_are_used_and_told(tenants: Tenants) -> None:
    found = tenants["eighty"].overview()
    assert found["standing"] == "good"
    assert found["quotas"][0]["percentage_used"] == "80.00"
    assert alerts(found) == [("grant.threshold_reached", None, 80)]
    assert found["alerts"][0]["since"] is not None
    assert found["approximate_minutes"] is None, "the wallet has paid for no call"


def test_a_low_balance_says_what_is_missing_and_how_long_it_lasts(tenants: Tenants) -> None:
    found = tenants["low"].overview()
    assert found["balance"]["settled"] == states.usd("17.08")
    (alert, *_) = found["alerts"]
    assert (alert["type"], alert["reason"]) == ("balance.low", "amount")
    assert alert["missing"] == states.usd("2.92")
    # 0.036 a minute, beyond what the plan includes.
    assert found["approximate_minutes"] == 474
    assert found["runway_days"] is not None


def test_past_due_says_what_is_owed_and_when_it_is_tried_again(tenants: Tenants) -> None:
    found = tenants["past_due"].overview()
    assert found["standing"] == "past_due"
    owed = found["owed"]
    assert [(one["total"], one["past_due"]) for one in owed["invoices"]] == [
        (states.usd("34.80"), True)
    ]
    assert owed["past_due_since"] == "2026-03-28T12:00:00Z"
    # Failed at once and on the first day; on the third it is tried again.
    assert owed["next_try_at"] == "2026-03-31T12:00:00Z"
    assert owed["on_hold_at"] == "2026-04-11T12:00:00Z"


def test_numbers_that_were_not_paid_are_on_hold_and_counted_down(tenants: Tenants) -> None:
    found = tenants["numbers_on_hold"].overview()
    assert found["standing"] == "good"
    assert [(one["state"], one["hold_reason"]) for one in found["numbers"]] == [
        ("on_hold", "auto_pay_off"),
        ("on_hold", "payment_failed"),
    ]
    # The period turned on 27 March; today is no day of the fourteen.
    assert {one["release_at"] for one in found["numbers"]} == {"2026-04-11T00:00:00Z"}
    assert found["balance"]["settled"] == states.usd("2.00"), "less than one renewal"


def test_suspended_has_no_try_left_and_places_no_calls(
    stage: InMemoryStage, tenants: Tenants
) -> None:
    found = tenants["suspended"].overview()
    assert found["standing"] == "suspended"
    owed = found["owed"]
    assert (owed["total"], owed["next_try_at"], owed["on_hold_at"]) == (
        states.usd("34.80"),
        None,
        None,
    )
    assert (dial(stage, "suspended", "outbound"), dial(stage, "suspended", "inbound")) == (
        "account_on_hold",
        "allowed",
    )
    assert dial(stage, "past_due", "outbound") == "allowed"


def dial(stage: InMemoryStage, tenant: str, direction: str) -> str:
    call = {"account": "main", "call_id": f"c-{direction}", "direction": direction, "kind": "call"}
    answered = stage.world.call(
        "POST",
        "/v1/calls/authorize",
        {**call, "to": "+14155550123", "duration_seconds": 60},
        token=a_token("service", tenant),
    )
    assert answered.status == 200, answered.text
    return "allowed" if answered.body["allowed"] else str(answered.body["reason"])


def test_the_table_shows_each_state_and_what_stands(tenants: Tenants) -> None:
    shown = [(state, tenants[state.name].overview()) for state in states.STATES]
    heading, *rows = states_table.table(shown)
    assert heading.split()[:5] == ["state", "standing", "balance", "used", "recharge"]
    assert [row.split()[0] for row in rows if not row.startswith(" ")] == list(tenants)
    assert rows[0].endswith("nothing")
    past_due = next(place for place, row in enumerate(rows) if row.startswith("past_due"))
    assert [row[heading.index("what") :] for row in rows[past_due : past_due + 4]] == [
        "balance.exhausted",
        "owes 34.80",
        "tried again 2026-03-31",
        "outbound stops 2026-04-11",
    ]
    assert sum("released 2026-04-11" in row for row in rows) == 2
