"""A tenant in every state that an account can be in, got there as anybody would get there: by the
API, by signed webhooks, by the schedules, and by time. There is no other door.

Reaching them takes 16 days, so they begin 16 days before now and are over now: whoever plays them
moves the clock back once and then only forward, to where it was.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any, Protocol

from local import demo
from local.api import Client

ACCOUNT = "/v1/accounts/default"
DAYS = 16
TICK = timedelta(hours=12)
"""How often the schedules are fired: twice as often as anything is tried again."""

PAYS = "tok_succeeds"
DECLINES = "tok_declines"

# Any: decoded JSON, throughout.
Json = Any


class Stage(Protocol):
    """A deployment whose time can be moved."""

    @property
    def operator(self) -> Client: ...

    def admin(self, tenant: str) -> Client:
        """Somebody of the tenant's who may decide on its bills."""
        ...

    def now(self) -> datetime: ...

    def move_to(self, moment: datetime) -> None: ...

    def work(self) -> None:
        """Fire the schedules that sweep, and wait until what they have found is done."""
        ...

    def post(self, connection: str, secret: str, params: Mapping[str, str]) -> None:
        """Tell of a call as Twilio does, signed with the connection's secret."""
        ...


@dataclass
class Tenant:
    """One tenant with one account, and what its people do."""

    stage: Stage
    name: str
    sid: str = field(default_factory=lambda: f"AC{secrets.token_hex(16)}")
    secret: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    asked: int = 0
    """Each of its requests has a key of its own."""

    @property
    def operators(self) -> dict[str, str]:
        return {"Talktime-Tenant": self.name}

    def key(self) -> dict[str, str]:
        self.asked += 1
        return {"Idempotency-Key": f"{self.name}-{self.asked}"}

    def open(self, plan: str, turns_on: datetime | None = None) -> None:
        """With a connection, on a plan whose period turns on that day; mostly a month from now."""
        turn = turns_on or self.stage.now()
        account = {
            "account": "main",
            "name": f"{self.name}, main account",
            "currency": "USD",
            "time_zone": "UTC",
            "plan": plan,
            "billing_day": turn.day,
            "rate_deck": demo.DECK,
        }
        body = {"tenant": self.name, "name": self.name, "account": account}
        self.stage.operator.request("POST", "/v1/tenants", body, self.key())
        connection = {
            "provider": "twilio",
            "secrets": [self.secret],
            "accounts": {self.sid: {"tenant": self.name, "account": "main"}},
        }
        self.stage.operator.request("PUT", f"/v1/connections/{self.name}", connection)

    def ask(self, method: str, path: str, body: Mapping[str, Any], **headers: str) -> Json:
        """Its admin asks, and agrees."""
        agreed = {**body, "acceptance": demo.ACCEPTANCE}
        sent = {**self.key(), **headers}
        return self.stage.admin(self.name).request(method, f"{ACCOUNT}/{path}", agreed, sent).body

    def add_source(self, token: str, label: str = "Visa ending 4242") -> str:
        body = {"gateway": "sandbox", "token": token, "label": label}
        source: str = self.ask("POST", "funding-sources", body)["source"]
        return source

    def replace_source(self, old: str, token: str) -> None:
        """Another card is asked first, and the old one is gone."""
        new = self.add_source(token, "Visa ending 0002")
        self.ask("POST", f"funding-sources/{new}/default", {})
        self.ask("DELETE", f"funding-sources/{old}", {})

    def pay_in(self, amount: str) -> None:
        self.ask("POST", "recharges", {"amount": usd(amount)})

    def recharge_below(self, threshold: str, amount: str) -> None:
        etag = str(self.stage.admin(self.name).get(f"{ACCOUNT}/auto-recharge").headers["ETag"])
        body = {"mode": "fixed", "threshold": usd(threshold), "amount": usd(amount)}
        self.ask("PUT", "auto-recharge", body, **{"If-Match": etag})

    def alert_below(self, amount: str) -> None:
        admin = self.stage.admin(self.name)
        etag = str(admin.get(f"{ACCOUNT}/alerts").headers["ETag"])
        body = {"low_balance": usd(amount)}
        admin.request("PUT", f"{ACCOUNT}/alerts", body, {"If-Match": etag})

    def talk(self, calls: int, minutes: int) -> None:
        """So many calls that have just ended, one after the other."""
        for number in range(calls):
            ended = self.stage.now() - timedelta(minutes=1 + number * minutes)
            params = {
                "CallSid": f"CA{secrets.token_hex(16)}",
                "AccountSid": self.sid,
                "From": demo.ACME_NUMBER,
                "To": "+14155550123",
                "CallStatus": "completed",
                "Direction": "outbound-api",
                "Timestamp": format_datetime(ended),
                "CallDuration": str(minutes * 60),
            }
            self.stage.post(self.name, self.secret, params)

    def buy(self, wants: Sequence[Mapping[str, Any]], pay_with: Mapping[str, Any]) -> Json:
        """Quoted, and ordered as quoted."""
        quote = self.stage.admin(self.name).request("POST", f"{ACCOUNT}/quotes", {"wants": wants})
        order = {"quote_id": quote.body["quote_id"], "pay_with": pay_with}
        return self.ask("POST", "orders", order)

    def have_number(self, e164: str, source: str, *, auto_pay: bool) -> None:
        """Ordered, paid from the source, and provided by the operator."""
        number = {
            "kind": "number",
            "what": "local",
            "e164": e164,
            "capabilities": ["voice", "sms"],
            "auto_pay": auto_pay,
        }
        self.buy([number], {"source": source})
        path = f"{ACCOUNT}/numbers/{e164}/provisioned"
        self.stage.operator.request("POST", path, headers=self.operators)

    def overview(self) -> Json:
        return self.stage.admin(self.name).get(ACCOUNT).body


def usd(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}


Deed = Callable[[Tenant, datetime], None]
"""What is done; it is told when the play ends."""


@dataclass(frozen=True)
class State:
    """A state, and how it is reached.

    Args:
        shows: What the overview says of it, for people.
        deeds: By how many days before the end each is done; at most ``DAYS``.
    """

    name: str
    shows: str
    deeds: Mapping[int, Deed]


def _open_healthy(tenant: Tenant, _end: datetime) -> None:
    tenant.open("solo")
    tenant.add_source(PAYS)
    tenant.recharge_below("10.00", "25.00")
    tenant.pay_in("50.00")


def _open_paid(tenant: Tenant, _end: datetime) -> None:
    tenant.open("starter")
    tenant.add_source(PAYS)
    tenant.recharge_below("10.00", "25.00")
    tenant.pay_in("25.00")


def _open_low(tenant: Tenant, end: datetime) -> None:
    _open_paid(tenant, end)
    tenant.alert_below("20.00")


def _open_unpaid(tenant: Tenant, _end: datetime) -> None:
    """Its plan costs something, and its card is declined."""
    tenant.open("solo")
    tenant.add_source(DECLINES, "Visa ending 0002")


def _open_numbers(tenant: Tenant, end: datetime) -> None:
    """Two numbers, whose next renewal neither the wallet nor the card will pay."""
    tenant.open("growth", turns_on=end - timedelta(days=3))
    source = tenant.add_source(PAYS)
    tenant.pay_in("2.00")
    first = secrets.randbelow(9_000_000) + 1_000_000
    tenant.have_number(f"+1415{first}", source, auto_pay=False)
    tenant.have_number(f"+1628{first}", source, auto_pay=True)
    tenant.replace_source(source, DECLINES)


STATES = (
    State(
        "healthy",
        "paid, and nothing stands",
        {16: _open_healthy, 8: lambda tenant, _: tenant.talk(2, 20)},
    ),
    State(
        "eighty",
        "80 % of the plan's minutes are used",
        {2: _open_paid, 1: lambda tenant, _: tenant.talk(2, 40)},
    ),
    State(
        "low",
        "the balance is below its alert",
        {2: _open_low, 1: lambda tenant, _: tenant.talk(8, 40)},
    ),
    State("past_due", "an invoice could not be collected", {2: _open_unpaid}),
    State(
        "numbers_on_hold",
        "renewals that were not paid, counted down to their release",
        {16: _open_numbers},
    ),
    State("suspended", "not paid for 14 days: no outbound calls", {16: _open_unpaid}),
)


def play(
    stage: Stage,
    end: datetime,
    name_of: Callable[[State], str],
    told: Callable[[datetime], None] = lambda _: None,
    wanted: Sequence[State] = STATES,
) -> dict[str, Tenant]:
    """Play states to their end, and leave the clock there.

    Args:
        end: The last instant (aware UTC).
        name_of: What the tenant of a state is called; nobody may be called so yet.
        told: Is told how far it has come.

    Returns:
        Each state's tenant.
    """
    tenants = {state.name: Tenant(stage, name_of(state)) for state in wanted}
    for ticks_left in range(max(days for state in wanted for days in state.deeds) * 2, -1, -1):
        moment = end - ticks_left * TICK
        stage.move_to(moment)
        for state in wanted:
            deed = None if ticks_left % 2 else state.deeds.get(ticks_left // 2)
            if deed is not None:
                deed(tenants[state.name], end)
        stage.work()
        told(moment)
    return tenants
