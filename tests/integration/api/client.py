"""The API as API Gateway calls it (HTTP API, payload 2.0), over everything in memory."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from api.app import create_app
from api.auth import TokenRules
from api.handler import handle
from api.observing import RequestLine
from api.openapi import problem_codes
from api.routes import ENDPOINTS
from api.serving import Server
from api.wiring import Settings, Talktime
from billing.adapters.gateways.sandbox import SUCCEEDS
from billing.domain.account import AccountRef
from billing.domain.usage import UsageEvent
from billing.ports import Gateway
from billing.services.post_usage import PostUsage
from builders import a_usage_event
from fakes.audit import InMemoryAudit
from fakes.book import InMemoryBook
from fakes.countries import country_of
from fakes.papers import InMemoryPapers, RecordingPrinter
from fakes.quotes import InMemoryQuotes
from fakes.reservations import InMemoryReservations
from fakes.stores import (
    InMemoryCatalogs,
    InMemoryConnections,
    InMemoryDecks,
    InMemoryDeckUploads,
    InMemoryQuarantine,
)
from fakes.summaries import InMemorySummaries
from fakes.webhooks import InMemoryDeliveries, InMemoryEndpoints
from fakes.world import FixedClock, InMemorySandbox, RecordingUsageQueue

ISSUER = "https://issuer.example.com"
AUDIENCE = "talktime"
PUBLIC_URL = "https://billing.example.com"
ORIGIN = "https://portal.example.com"
REAL_NOW = 1_700_000_000.0
NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)

ACME = AccountRef("acme", "main")
GLOBEX = AccountRef("globex", "main")
TERMS = "2026-01"
DECK = "retail-us"
DECLARED = {(e.method, e.path): problem_codes(e) for e in ENDPOINTS}

ACCEPTANCE = {
    "first_name": "Wile",
    "last_name": "Coyote",
    "terms_version": TERMS,
    "accepted": True,
}
CATALOG = {
    "terms_version": TERMS,
    "plans": [
        {
            "plan": "growth",
            "name": "Growth",
            "grants": [{"grant": "minutes", "unit": "voice_seconds", "quantity": 600}],
        }
    ],
}
LICENSED = {
    **CATALOG,
    "plans": [
        {
            "plan": "growth",
            "name": "Growth",
            "grants": [{"grant": "minutes", "unit": "voice_seconds", "quantity": 600}],
            "units": [
                {"licence": "seat", "included": 1},
                {"licence": "dialler", "included": 2},
                {"licence": "flex", "included": 2},
            ],
        }
    ],
    "licences": [
        {"licence": "seat", "name": "Seat", "mode": "named", "on_invite": "lock_out"},
        {"licence": "dialler", "name": "Dialler port", "mode": "pooled"},
        {"licence": "flex", "name": "Flex port", "mode": "pooled", "needs_assignment": True},
    ],
}
"""The same with licences: accounts that are opened under it have some."""
RATES = """\
prefix,destination,rate,connect_fee,first_increment_seconds,next_increment_seconds
1,United States,0.60,0,60,60
"""
SOURCE = {
    "gateway": "sandbox",
    "token": "tok_succeeds",
    "label": "Visa ending in 4242",
    "acceptance": ACCEPTANCE,
}
RECHARGE = {"amount": {"amount": "25.00", "currency": "USD"}, "acceptance": ACCEPTANCE}
FIXED = {
    "mode": "fixed",
    "threshold": {"amount": "10.00", "currency": "USD"},
    "amount": {"amount": "20.00", "currency": "USD"},
    "acceptance": ACCEPTANCE,
}
CALL_EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "urn:dialler:berlin",
    "type": "call.ended",
    "data": {
        "call_id": "c-1",
        "account": "default",
        "direction": "outbound",
        "from": "+14155550100",
        "to": "+14155550123",
        "answered_at": "2026-03-14T11:50:00Z",
        "ended_at": "2026-03-14T11:51:01Z",
        "billable_seconds": 61,
        "status": "completed",
    },
}


@dataclass(frozen=True)
class Token:
    """What the authorizer hands over of a token, and the header it came in."""

    claims: Mapping[str, str]
    header: str | None = "Bearer e30.e30.c2ln"

    def but(self, **claims: str | None) -> "Token":
        """With other claims; None leaves one out."""
        merged = {**self.claims, **claims}
        kept = {name: value for name, value in merged.items() if value is not None}
        return replace(self, claims=kept)


def a_token(role: str, tenant_id: str | None = None) -> Token:
    claims = {
        "sub": f"{tenant_id or 'vendor'}-{role}",
        "iss": ISSUER,
        "aud": AUDIENCE,
        "exp": str(int(REAL_NOW) + 600),
        "roles": f"[{role}]",
    }
    return Token({**claims, "tenant_id": tenant_id} if tenant_id else claims)


OPERATOR = a_token("operator")
ADMIN = a_token("billing-admin", "acme")
MEMBER = a_token("member", "acme")
SERVICE = a_token("service", "acme")
GLOBEX_ADMIN = a_token("billing-admin", "globex")


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)

    @property
    def code(self) -> str:
        assert self.headers["content-type"] == "application/problem+json", self.text
        assert self.body["status"] == self.status
        return str(self.body["code"])


class RecordingLog:
    def __init__(self) -> None:
        self.lines: list[RequestLine] = []

    def write(self, line: RequestLine) -> None:
        self.lines.append(line)


class World:
    """One deployment in memory."""

    def __init__(self, gateway: Gateway | None = None) -> None:
        self.clock = FixedClock(NOW)
        self.reservations = InMemoryReservations()
        self.book = InMemoryBook(self.reservations)
        self.decks = InMemoryDecks()
        self.deck_uploads = InMemoryDeckUploads(self.clock)
        self.papers = InMemoryPapers(self.clock)
        self.printer = RecordingPrinter()
        self.quarantine = InMemoryQuarantine()
        self.connections = InMemoryConnections()
        self.usage_queue = RecordingUsageQueue()
        self.summaries = InMemorySummaries()
        self.webhook_endpoints = InMemoryEndpoints(self.book.record_audit)
        self.webhook_deliveries = InMemoryDeliveries()
        self.sandbox = InMemorySandbox(self.clock)
        self.log = RecordingLog()
        self.talktime = Talktime(
            settings=Settings(
                public_url=PUBLIC_URL,
                cors_origins=frozenset({ORIGIN}),
                token_rules=TokenRules(ISSUER, frozenset({AUDIENCE}), lambda: REAL_NOW),
                cursor_key=lambda: b"a signing key of this test alone",
            ),
            book=self.book,
            audit_trail=InMemoryAudit(self.book),
            directory=self.book,
            members=self.book.members,
            catalogs=InMemoryCatalogs(),
            decks=self.decks,
            deck_uploads=self.deck_uploads,
            papers=self.papers,
            printer=self.printer,
            connections=self.connections,
            quarantine=self.quarantine,
            quotes=InMemoryQuotes(self.book),
            summaries=self.summaries,
            webhook_endpoints=self.webhook_endpoints,
            webhook_deliveries=self.webhook_deliveries,
            reservations=self.reservations,
            usage_queue=self.usage_queue,
            gateways={"sandbox": gateway or self.sandbox},
            country_of=country_of,
            clock=self.clock,
        )
        self.app = create_app(Server(self.talktime, self.log))
        # Requests that may have changed something.
        self.writes = 0

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: Token | None = None,
        headers: Mapping[str, str] | None = None,
        **query: str,
    ) -> Reply:
        """One request. A body that is text goes as it is."""
        event = an_event(method, path, body, token=token, headers=headers, query=query)
        found = reply(handle(event, self.app))
        self.writes += method != "GET" and found.status < 400
        line = self.log.lines[-1]
        declared = DECLARED.get((line.method, line.route), {line.code})
        assert not line.code or line.code in declared, f"{line.code} is not declared"
        return found

    def seed(self) -> None:
        """Two tenants with an account each, a catalogue and a deck in force."""
        done = [
            self.call("PUT", "/v1/catalog", CATALOG, token=OPERATOR),
            self.call(
                "PUT",
                f"/v1/rate-decks/{DECK}",
                RATES,
                token=OPERATOR,
                headers={"Content-Type": "text/csv"},
                currency="USD",
                effective_at="2026-01-01T00:00:00Z",
            ),
            *(
                self.call(
                    "POST",
                    "/v1/tenants",
                    a_tenant_body(tenant),
                    token=OPERATOR,
                    headers={"Idempotency-Key": f"seed-{tenant}"},
                )
                for tenant in ("acme", "globex")
            ),
        ]
        assert [found.status for found in done] == [201] * 4, done

    def post_usage(self, ref: AccountRef, *events: UsageEvent) -> None:
        service = PostUsage(
            book=self.book,
            decks=self.decks,
            quarantine=self.quarantine,
            clock=self.clock,
            change_account=self.talktime.change_account,
            settle_reservations=self.talktime.settle_reservations,
        )
        assert service.post(ref, events) == len(events)

    def use(self, ref: AccountRef, count: int, seconds: int = 61, first: int = 1) -> None:
        """Post so many calls, each in a posting of its own."""
        for number in range(first, first + count):
            event = a_usage_event(number, self.clock.now(), quantity=seconds)
            self.post_usage(ref, event)
            self.clock.advance(timedelta(minutes=1))

    def add_source(self, source: str = SUCCEEDS, key: str = "source") -> None:
        added = self.call(
            "POST",
            "/v1/accounts/main/funding-sources",
            {**SOURCE, "token": source},
            token=ADMIN,
            headers={"Idempotency-Key": key},
        )
        assert added.status == 201, added


def seeded(gateway: Gateway | None = None) -> World:
    world = World(gateway)
    world.seed()
    return world


def a_tenant_body(tenant: str) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "name": tenant.capitalize(),
        "account": {
            "currency": "USD",
            "time_zone": "America/New_York",
            "plan": "growth",
            "billing_day": 1,
            "rate_deck": DECK,
        },
    }


def an_event(
    method: str,
    path: str,
    body: Any = None,
    *,
    token: Token | None = None,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    text = body if body is None or isinstance(body, str) else json.dumps(body)
    sent = {"content-type": "application/json"} if body is not None else {}
    sent |= {name.lower(): value for name, value in (headers or {}).items()}
    context: dict[str, Any] = {
        "http": {"method": method, "path": path, "sourceIp": "192.0.2.1"},
        "requestId": "request-1",
        "stage": "$default",
    }
    if token is not None:
        if token.header is not None:
            sent["authorization"] = token.header
        context["authorizer"] = {"jwt": {"claims": dict(token.claims), "scopes": None}}
    event: dict[str, Any] = {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": urlencode(query or {}),
        "headers": sent,
        "requestContext": context,
        "isBase64Encoded": False,
    }
    return event if text is None else {**event, "body": text}


def reply(result: Mapping[str, Any]) -> Reply:
    headers = {name.lower(): value for name, value in result["headers"].items()}
    return Reply(result["statusCode"], headers, result["body"])
