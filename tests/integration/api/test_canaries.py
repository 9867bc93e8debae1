"""Secrets that were put in, or given out once, are in nothing that comes out: no answer, log line,
event, audit record, message or metric of a whole run over every endpoint.
"""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from api.app import create_app
from api.endpoint import CSV
from api.routes import ENDPOINTS
from api.serving import Server
from integration.api.client import ADMIN, OPERATOR, Reply, Token, World, a_token
from integration.api.generated import WITH_BODY, body_of, places_of, send
from integration.api.test_injection import Both
from integration.api.test_isolation import CONNECTION, HOOKS, SAMPLES, Stage

CARD = "4000056655665556"
BEARER = "canary.of-a-bearer.token"
CANARIES = {
    "the connection's secret": "canary-connection-5f0e7a",
    "the bearer token": BEARER,
    "the signing key of cursors": "a signing key of this test alone",
    "the gateway's token": "tok_succeeds",
    "a card's number": CARD,
}


class Run:
    """One call of every endpoint by everybody who may, good and bad, with canaries wherever a
    secret goes; and whatever came of it."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.stage = Stage()
        self.world: World = self.stage.world
        self.log = Both(self.world)
        self.answers: list[tuple[str, str]] = []
        self.told: set[str] = set()
        with caplog.at_level(logging.DEBUG):
            self._put_secrets_in()
            for endpoint in ENDPOINTS:
                for role in sorted(endpoint.roles or ()):
                    token = a_token(role, None if role == "operator" else "acme")
                    token = Token(token.claims, f"Bearer {BEARER}")
                    named = {"Talktime-Tenant": "acme"} if role == "operator" else {}
                    named = named if endpoint.is_tenants else {}
                    self._keep(endpoint.name, self.stage.send(endpoint, token, named))
                    if endpoint.csv_rows is not None:
                        headers = {**named, "Accept": CSV}
                        self._keep(endpoint.name, self.stage.send(endpoint, token, headers))
            self._offer_cards()
            self._fail()
        self.logged = "\n".join(
            f"{record.getMessage()} {record.__dict__!r}" for record in caplog.records
        )

    def _keep(self, name: str, found: Reply) -> None:
        self.answers.append((name, f"{found.text} {found.headers!r}"))

    def _put_secrets_in(self) -> None:
        connection = {**CONNECTION, "secret": CANARIES["the connection's secret"]}
        headers = {"If-Match": '"1"'}
        found = self.world.call(
            "PUT", "/v1/connections/twilio", connection, token=OPERATOR, headers=headers
        )
        assert found.status == 200
        self._keep("put_connection", found)
        path = f"/v1/accounts/{self.stage.acct}/webhook-endpoints"
        hooks = self.world.call("PUT", path, HOOKS, token=ADMIN, headers={"If-Match": '"0"'})
        assert hooks.status == 200
        # Told this once: from here on nobody hears of it again.
        self.told = {one["secret"] for one in hooks.body["endpoints"]}
        assert self.told
        assert all(secret.startswith("whsec_") for secret in self.told)

    def _offer_cards(self) -> None:
        for endpoint in WITH_BODY:
            sample = body_of(endpoint, self.stage)
            for place in places_of(endpoint):
                if place.node.get("type") != "string" or place.text in endpoint.machine_ids:
                    continue
                found = send(self.stage, endpoint, place.put(sample, CARD))
                assert (found.status, found.code) == (422, "card_number_refused"), place.text
                self._keep(endpoint.name, found)

    def _fail(self) -> None:
        """Faults, whose message holds every secret there is."""

        class Failing:
            def __getattr__(self, _name: str) -> Any:
                raise RuntimeError(" ".join((*CANARIES.values(), BEARER)))

        whole = self.world.talktime
        broken = type(whole).__new__(type(whole))
        broken.__dict__.update(whole.__dict__)
        broken.__dict__.update(dict.fromkeys(("book", "catalogs", "members"), Failing()))
        self.world.app = create_app(Server(broken, self.log))
        for endpoint in ENDPOINTS:
            headers = SAMPLES[endpoint.name].headers
            found = send(self.stage, endpoint, body_of(endpoint, self.stage), headers=headers)
            self._keep(endpoint.name, found)


def outputs(run: Run, printed: str) -> Iterator[tuple[str, str]]:
    yield from run.answers
    yield "log", run.log.text.getvalue()
    yield "other logs", run.logged
    yield "metrics", printed
    world = run.world
    yield "lines", repr(world.log.lines)
    book = vars(world.book)
    for name in ("_events", "_audit", "_operations", "_entries", "_timers"):
        yield name, repr(book[name])
    yield "usage queue", repr(vars(world.usage_queue))
    yield "deliveries", repr(vars(world.webhook_deliveries))


def test_no_secret_comes_out_of_a_whole_run(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(caplog)
    printed = capsys.readouterr()
    found = dict(enumerate(outputs(run, printed.out + printed.err)))
    assert len(found) > 2 * len(ENDPOINTS)
    secrets = {**CANARIES, **{f"a webhook's secret {one}": one for one in run.told}}
    for what, secret in secrets.items():
        for where, text in found.values():
            assert secret not in text, f"{what} is in {where}"
            assert json.dumps(secret)[1:-1] not in text, f"{what} is in {where}"
    assert "RuntimeError at " in repr(run.world.log.lines), "the faults are seen without it"
    assert {200, 201, 422, 500} <= {line.status for line in run.world.log.lines}
