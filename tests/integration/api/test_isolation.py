"""Who may call what: every endpoint of the table, with every kind of token."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from api.auth import OPERATORS, Role
from api.endpoint import Endpoint
from api.routes import ENDPOINTS
from billing.domain.account import AccountRef
from billing.domain.billing_profiles import profile_etag
from billing.domain.documents import CreditNote, Invoice, InvoiceState, Line, LineKind
from billing.domain.numbers import HoldReason, NumberState, PhoneNumber
from billing.domain.orders import Order, OrderState, Want, WantKind
from billing.domain.selling import Interval
from billing.domain.subscription import Subscription, UnitItem, first_subscription
from billing.domain.webhook_deliveries import begin
from billing.ports import Parked
from builders import a_touch, a_usage_event
from integration.api.client import (
    ACCEPTANCE,
    ACME,
    ADMIN,
    CALL_EVENT,
    CATALOG,
    DECK,
    FIXED,
    GLOBEX_ADMIN,
    ISSUER,
    LICENSED,
    NOW,
    OPERATOR,
    RATES,
    REAL_NOW,
    RECHARGE,
    SERVICE,
    SOURCE,
    Reply,
    Token,
    a_tenant_body,
    a_token,
    seeded,
)


@dataclass(frozen=True)
class Sample:
    """A request that succeeds, when the right one sends it."""

    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)


KEYED = {"Idempotency-Key": "sample"}
FURTHER = {
    "name": "Further",
    "currency": "USD",
    "time_zone": "UTC",
    "plan": "growth",
    "billing_day": 31,
}
CONNECTION = {"provider": "twilio", "secret": "0123456789abcdef"}
RECORDED = a_usage_event(7)
CALL_NAME = {
    "provider": RECORDED.key.provider,
    "provider_account": RECORDED.key.provider_account,
    "call_id": RECORDED.key.call_id,
}
CORRECTION = {**CALL_NAME, "quantity": 30, "reason": "The carrier's ticket 4711"}
WANTED = {
    "account": "default",
    "call_id": "stage",
    "direction": "outbound",
    "kind": "call",
    "to": "+14155550123",
}
MEMBER_IN = {
    "email": "roadrunner@example.com",
    "first_name": "Road",
    "last_name": "Runner",
    "acceptance": ACCEPTANCE,
}
YEARLY = {"kind": "plan", "what": "growth", "interval": "year"}
QUOTE = "quo_" + "a" * 32
ORDER = "ord_" + "b" * 32
PROFILE = {"legal_name": "Acme Rockets Ltd", "acceptance": ACCEPTANCE}
HOOKS = {"endpoints": [{"url": "https://hooks.example.com/talktime", "events": ["*"]}]}
CHARGE = {"lines": [{"text": "Training", "amount": {"amount": "10.00", "currency": "USD"}}]}
HAPPENED = {"source": "/talktime", "id": "1", "type": "balance.low", "time": NOW.isoformat()}

SAMPLES = {
    "get_health": Sample(),
    "get_openapi": Sample(),
    "get_docs": Sample(),
    "get_catalog": Sample(),
    "put_catalog": Sample(CATALOG, {"If-Match": '"2"'}),
    "list_catalog_versions": Sample(),
    "get_catalog_version": Sample(),
    "get_offers": Sample(),
    "list_rate_decks": Sample(),
    "put_rate_deck": Sample(RATES, {"Content-Type": "text/csv"}, {"currency": "USD"}),
    "get_rate_deck": Sample(),
    "list_rate_deck_versions": Sample(),
    "diff_rate_deck": Sample({"against": 1}),
    "activate_rate_deck": Sample({}),
    "post_rate_deck_upload": Sample({"bytes": len(RATES)}),
    "complete_rate_deck_upload": Sample({"currency": "USD"}),
    "quote_usage": Sample({"to": "+14155550100", "duration_seconds": 61}),
    "list_tenants": Sample(),
    "post_tenant": Sample(a_tenant_body("initech"), KEYED),
    "get_tenant": Sample(),
    "patch_tenant": Sample({"name": "Acme Inc."}, {"If-Match": '"1"'}),
    "list_connections": Sample(),
    "put_connection": Sample(CONNECTION, {"If-Match": '"1"'}),
    "get_connection": Sample(),
    "delete_connection": Sample(),
    "list_quarantine": Sample(),
    "get_parked": Sample(),
    "patch_parked": Sample({"quantity": 60}, {"If-Match": '"1"'}),
    "replay_parked": Sample(),
    "dismiss_parked": Sample({"reason": "A test call."}),
    "replay_quarantine": Sample({"reason": "account_not_mapped"}),
    "list_accounts": Sample(),
    "post_account": Sample(FURTHER, KEYED),
    "get_account": Sample(),
    "list_audit": Sample(),
    "list_members": Sample(),
    "post_member": Sample(MEMBER_IN, KEYED),
    "get_member": Sample(),
    "patch_member": Sample({"last_name": "Runner", "acceptance": ACCEPTANCE}, {"If-Match": '"1"'}),
    "delete_member": Sample({"acceptance": ACCEPTANCE}),
    "list_ledger_entries": Sample(),
    "verify_ledger": Sample(),
    "list_usage": Sample(),
    "correct_call": Sample(CORRECTION, KEYED),
    "rerate_usage": Sample({"from": 1, "to": 2, "deck": DECK, "version": 1, "dry_run": True}),
    "get_usage_summary": Sample(),
    "post_usage": Sample(CALL_EVENT, {"Content-Type": "application/cloudevents+json"}),
    "authorize_call": Sample(WANTED),
    "extend_reservation": Sample({"duration_seconds": 900}),
    "link_reservation": Sample(CALL_NAME),
    "delete_reservation": Sample(),
    "get_subscription": Sample(),
    "list_scheduled_changes": Sample(),
    "delete_scheduled_change": Sample({"acceptance": ACCEPTANCE}),
    "post_quote": Sample({"wants": [YEARLY]}),
    "get_quote": Sample(),
    "list_orders": Sample(),
    "post_order": Sample({"quote_id": QUOTE, "acceptance": ACCEPTANCE}, KEYED),
    "get_order": Sample(),
    "list_licences": Sample(),
    "list_assignments": Sample(),
    "put_assignment": Sample({"acceptance": ACCEPTANCE}),
    "delete_assignment": Sample({"acceptance": ACCEPTANCE}),
    "get_access": Sample(query={"licence": "dialler"}),
    "post_lease": Sample({"lease_seconds": 60}),
    "renew_lease": Sample({}),
    "delete_lease": Sample(),
    "get_licence_history": Sample(),
    "get_auto_recharge": Sample(),
    "put_auto_recharge": Sample(FIXED),
    "get_alerts": Sample(),
    "put_alerts": Sample({"runway_days": 7}),
    "list_numbers": Sample(),
    "get_number": Sample(),
    "patch_number": Sample({"auto_pay": False, "acceptance": ACCEPTANCE}),
    "pay_number": Sample({"pay_with": {"wallet": True}, "acceptance": ACCEPTANCE}, KEYED),
    "release_number": Sample({"acceptance": ACCEPTANCE}),
    "provisioned_number": Sample(),
    "failed_number": Sample(),
    "put_storage": Sample({"used_bytes": 5}),
    "get_storage": Sample(),
    "list_recharges": Sample(),
    "post_recharge": Sample(RECHARGE, KEYED),
    "pay_invoice": Sample({"pay_with": {"wallet": True}, "acceptance": ACCEPTANCE}, KEYED),
    "post_charges": Sample(CHARGE, KEYED),
    "list_invoices": Sample(),
    "get_invoice": Sample(),
    "get_invoice_pdf": Sample(),
    "post_credit_note": Sample({"reason": "It did not work."}, KEYED),
    "list_credit_notes": Sample(),
    "get_credit_note": Sample(),
    "get_credit_note_pdf": Sample(),
    "list_receipts": Sample(),
    "get_receipt": Sample(),
    "get_receipt_pdf": Sample(),
    "get_purchases": Sample(),
    "get_billing_profile": Sample(),
    "put_billing_profile": Sample(PROFILE, {"If-Match": f'"{profile_etag(None)}"'}),
    "get_contract": Sample(),
    "put_contract": Sample({"starts_on": "2026-01-01", "ends_on": "2027-01-01"}),
    "get_payment": Sample(),
    "post_refund": Sample(
        {"reason": "Paid twice by mistake.", "amount": {"amount": "1.00", "currency": "USD"}}, KEYED
    ),
    "get_operation": Sample(),
    "list_funding_sources": Sample(),
    "post_funding_source": Sample(SOURCE, KEYED),
    "put_funding_source_order": Sample({"sources": [], "acceptance": ACCEPTANCE}),
    "confirm_funding_source": Sample(),
    "make_funding_source_default": Sample({"acceptance": ACCEPTANCE}),
    "delete_funding_source": Sample({"acceptance": ACCEPTANCE}),
    "get_webhook_endpoints": Sample(),
    "put_webhook_endpoints": Sample(HOOKS, {"If-Match": '"0"'}),
    "list_webhook_deliveries": Sample(),
    "redeliver_webhook": Sample(),
}

NUMBERS = {
    "+14155550140": NumberState.ACTIVE,
    "+14155550141": NumberState.ON_HOLD,
    "+14155550142": NumberState.PENDING,
}
"""A number in each state, and what is asked of which."""

STATES = {
    "pay_number": NumberState.ON_HOLD,
    "provisioned_number": NumberState.PENDING,
    "failed_number": NumberState.PENDING,
}

THINGS = {"/quotes/": QUOTE, "/orders/": ORDER, "/scheduled-changes/": "units-seat"}
"""What is found at a path that goes through it."""

PAID = 900
DOCUMENTS = {
    "post_credit_note": str(PAID),
    **dict.fromkeys(("get_credit_note", "get_credit_note_pdf"), "1"),
    **dict.fromkeys(("get_receipt", "get_receipt_pdf"), "1"),
}
"""Which document an endpoint is tried with, where it is no open invoice."""

GUARDED = [endpoint for endpoint in ENDPOINTS if endpoint.roles is not None]
OF_ACCOUNTS = [endpoint for endpoint in ENDPOINTS if "{acct}" in endpoint.path]
OF_TENANTS = [endpoint for endpoint in ENDPOINTS if endpoint.is_tenants]


def number_in(state: NumberState) -> str:
    return next(e164 for e164, one in NUMBERS.items() if one is state)


def named(endpoints: list[Endpoint]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("endpoint", endpoints, ids=lambda endpoint: endpoint.name)


class Stage:
    """A world with one of each thing, and an account of Acme's that Globex has no namesake of."""

    def __init__(self) -> None:
        self.world = seeded()
        connected = self.world.call("PUT", "/v1/connections/twilio", CONNECTION, token=OPERATOR)
        assert connected.status == 201
        licensed = self.world.call(
            "PUT", "/v1/catalog", LICENSED, token=OPERATOR, headers={"If-Match": '"1"'}
        )
        assert licensed.status == 200
        opened = self.world.call(
            "POST", "/v1/accounts", FURTHER, token=ADMIN, headers={"Idempotency-Key": "further"}
        )
        self.acct = opened.body["account"]
        self._keep_what_ends()
        path = f"/v1/accounts/{self.acct}"
        key = {"Idempotency-Key": "stage"}
        added = self.world.call("POST", f"{path}/funding-sources", SOURCE, token=ADMIN, headers=key)
        self.source: str = added.body["source"]
        begun = {name: SOURCE[name] for name in ("label", "acceptance")}
        further = {"Idempotency-Key": "begun"}
        found = self.world.call(
            "POST", f"{path}/funding-sources", begun, token=ADMIN, headers=further
        )
        self.begun: str = found.body["source"]
        paid = self.world.call("POST", f"{path}/recharges", RECHARGE, token=ADMIN, headers=key)
        assert paid.status == 201
        self.payment = paid.body["payment_id"]
        operations = self.world.book._operations
        self.operation = next(
            id_ for ref, id_ in operations if ref.account_id == self.acct and id_.startswith("op_")
        )
        self.world.post_usage(AccountRef("acme", self.acct), RECORDED)
        self.etag = self.world.call("GET", f"{path}/auto-recharge", token=ADMIN).headers["etag"]
        as_operator = {"Talktime-Tenant": "acme", **key}
        charged = self.world.call(
            "POST", f"{path}/charges", CHARGE, token=OPERATOR, headers=as_operator
        )
        self.invoice = str(charged.body["invoice"])
        contract = self.world.call("GET", f"{path}/contract", token=ADMIN)
        self.contract_etag = contract.headers["etag"]
        self.alerts_etag = self.world.call("GET", f"{path}/alerts", token=ADMIN).headers["etag"]
        himself = {
            **MEMBER_IN,
            "account": self.acct,
            "email": "wile@example.com",
            "subject": "acme-member",
        }
        joined = self.world.call("POST", "/v1/members", himself, token=ADMIN, headers=key)
        self.member: str = joined.body["member"]
        leased = self.world.call(
            "POST", f"{path}/licences/dialler/leases", {"member": self.member}, token=SERVICE
        )
        self.lease: str = leased.body["lease"]
        self.world.deck_uploads.files[DECK, "file"] = RATES.encode()
        wanted = {**WANTED, "account": self.acct}
        allowed = self.world.call("POST", "/v1/calls/authorize", wanted, token=SERVICE)
        self.reservation: str = allowed.body["reservation_id"]
        delivery = begin(AccountRef("acme", self.acct), "whe_1", HAPPENED, "{}", NOW)
        self.world.webhook_deliveries.add(delivery)
        self.delivery = delivery.delivery_id
        self.parked = "0" * 32
        event = a_usage_event().to_json()
        self.world.quarantine.park(
            Parked(self.parked, "account_not_mapped", "not mapped", "twilio", ACME, event, NOW)
        )
        self._order()
        self._document()
        for e164, state in NUMBERS.items():
            number = PhoneNumber(
                account=AccountRef("acme", self.acct),
                e164=e164,
                type_id="local",
                capabilities=("voice",),
                state=state,
                is_auto_pay=True,
                catalog_version=1,
                ordered_at=NOW,
                paid_until=NOW,
                hold_reason=HoldReason.AUTO_PAY_OFF if state is NumberState.ON_HOLD else None,
            )
            self.world.book.keep(number)

    def _keep_what_ends(self) -> None:
        """Half of what is held of a licence goes when the term turns."""
        account = self.world.book.account(AccountRef("acme", self.acct))
        held = self.world.book.thing(account.ref, Subscription) or first_subscription(account)
        less = replace(held, units=(UnitItem("seat", 2, 2, 1),))
        self.world.book.commit(a_touch(account, "less", self.world.clock.now(), records=(less,)))

    def _order(self) -> None:
        """A quote that can be ordered, and an order of another time."""
        ref = AccountRef("acme", self.acct)
        want = Want(WantKind.PLAN, YEARLY["what"], interval=Interval.YEAR)
        quote = self.world.talktime.quote_order.quote(ref, [want], QUOTE)
        order = Order(ref, ORDER, quote, OrderState.DELIVERED, NOW, "sub", None)
        self.world.book.keep(order)

    def _document(self) -> None:
        """A paid invoice, and a credit note; the recharge has left a receipt."""
        ref = AccountRef("acme", self.acct)
        line = Line(LineKind.CHARGE, "charge", "Training", 1, 10**7, 10**7)
        invoice = Invoice(ref, PAID, "USD", (line,), NOW, "sub", InvoiceState.PAID, paid_at=NOW)
        back = replace(line, amount_micros=-(10**6))
        self.world.book.keep(invoice)
        self.world.book.keep(CreditNote(ref, 1, PAID, "USD", (back,), NOW, "sub", "Cold.", (0,)))

    def id_of(self, endpoint: Endpoint) -> str:
        """What is found at the endpoint's path; a source that can be removed is no default."""
        if endpoint.path.startswith("/v1/quarantine"):
            return self.parked
        if endpoint.path.startswith("/v1/reservations"):
            return self.reservation
        if "/webhook-deliveries/" in endpoint.path:
            return self.delivery
        for part, name in THINGS.items():
            if part in endpoint.path:
                return name
        if "/funding-sources/" in endpoint.path:
            return self.source if endpoint.path.endswith("/default") else self.begun
        return self.operation

    def path_of(self, endpoint: Endpoint, **parameters: str) -> str:
        """Where the endpoint finds what there is of Acme's."""
        given = {
            "acct": self.acct,
            "tenant": "acme",
            "deck": DECK,
            "conn": "twilio",
            "v": "1",
            "version": "1",
            "upload": "file",
            "payment": self.payment,
            "number": DOCUMENTS.get(endpoint.name, self.invoice),
            "member": self.member,
            "kind": "dialler",
            "lease": self.lease,
            "e164": number_in(STATES.get(endpoint.name, NumberState.ACTIVE)),
            "id": self.id_of(endpoint),
            **parameters,
        }
        return endpoint.path.format(**given)

    def send(
        self,
        endpoint: Endpoint,
        token: Token | None,
        headers: Mapping[str, str] | None = None,
        **parameters: str,
    ) -> Reply:
        sample = SAMPLES[endpoint.name]
        path = self.path_of(endpoint, **parameters)
        sent = {**sample.headers, **(headers or {})}
        if endpoint.name == "put_auto_recharge":
            sent["If-Match"] = self.etag
        if endpoint.name == "put_alerts":
            sent["If-Match"] = self.alerts_etag
        if endpoint.name == "put_contract":
            sent["If-Match"] = self.contract_etag
        body = sample.body
        if endpoint.name == "post_lease":
            body = {**body, "member": self.member}
        return self.world.call(
            endpoint.method, path, body, token=token, headers=sent, **sample.query
        )


@pytest.fixture(scope="module")
def kept() -> list[Stage]:
    return []


@pytest.fixture
def stage(kept: list[Stage]) -> Iterator[Stage]:
    """A stage as it was built: the last test's, unless it has changed something there."""
    if not kept:
        kept.append(Stage())
    (found,) = kept
    before = _written(found)
    yield found
    if _written(found) != before:
        kept.clear()


def _written(stage: Stage) -> tuple[object, ...]:
    world = stage.world
    return world.writes, world.clock.now(), len(world.book._operations), world.book._accounts.copy()


def test_every_endpoint_is_tried() -> None:
    assert set(SAMPLES) == {endpoint.name for endpoint in ENDPOINTS}
    assert len(ENDPOINTS) == len({(e.method, e.path) for e in ENDPOINTS})


def test_only_what_tells_nothing_needs_no_token() -> None:
    public = {endpoint.path for endpoint in ENDPOINTS if endpoint.roles is None}
    assert public == {"/health", "/openapi.json", "/docs"}
    assert all(endpoint.path.startswith("/v1/") for endpoint in GUARDED)


INVALID = {
    "no token": None,
    "expired": OPERATOR.but(exp=str(int(REAL_NOW) - 1)),
    "expires now": OPERATOR.but(exp=str(int(REAL_NOW))),
    "no expiry": OPERATOR.but(exp=None),
    "an expiry that is no number": OPERATOR.but(exp="NaN"),
    "an endless expiry": OPERATOR.but(exp="Infinity"),
    "another issuer": OPERATOR.but(iss="https://evil.example.com"),
    "an issuer that begins alike": OPERATOR.but(iss=f"{ISSUER}.evil.example.com"),
    "no issuer": OPERATOR.but(iss=None),
    "another audience": OPERATOR.but(aud="another"),
    "no audience": OPERATOR.but(aud=None),
    "an empty audience": OPERATOR.but(aud="[]"),
    "nobody": OPERATOR.but(sub=None),
    "no scheme": Token(OPERATOR.claims, "e30.e30.c2ln"),
    "another scheme": Token(OPERATOR.claims, "Basic e30.e30.c2ln"),
    "no header": Token(OPERATOR.claims, None),
    "no claims": Token({}),
}


@named(GUARDED)
def test_an_invalid_token_is_refused_alike(stage: Stage, endpoint: Endpoint) -> None:
    answers = {stage.send(endpoint, token).text for token in INVALID.values()}
    assert len(answers) == 1
    found = stage.send(endpoint, None)
    assert (found.status, found.code) == (401, "unauthorized")
    assert found.headers["www-authenticate"] == "Bearer"


@named(GUARDED)
@pytest.mark.parametrize("role", list(Role))
def test_a_role_does_what_its_endpoint_declares(
    stage: Stage, endpoint: Endpoint, role: Role
) -> None:
    assert endpoint.roles is not None
    is_operator = role is Role.OPERATOR
    token = a_token(role.value, None if is_operator else "acme")
    named_tenant = {"Talktime-Tenant": "acme"} if is_operator and endpoint.is_tenants else {}
    found = stage.send(endpoint, token, named_tenant)
    if role in endpoint.roles:
        assert found.status in endpoint.answers, found.text
    else:
        assert (found.status, found.code) == (403, "forbidden")


@named(GUARDED)
@pytest.mark.parametrize("roles", ["", "[]", "[admin root]", "OPERATOR", "operators"])
def test_an_unknown_role_does_nothing(stage: Stage, endpoint: Endpoint, roles: str) -> None:
    assert stage.send(endpoint, ADMIN.but(roles=roles)).code == "forbidden"


def test_roles_and_tenant_may_come_as_cognito_has_them(stage: Stage) -> None:
    claims = {
        "roles": None,
        "tenant_id": None,
        "cognito:groups": "[billing-admin portal]",
        "custom:tenant_id": "acme",
        "aud": None,
        "client_id": "talktime",
    }
    found = stage.world.call("GET", "/v1/accounts", token=ADMIN.but(**claims))
    assert found.status == 200


@named(OF_TENANTS)
def test_an_operator_names_the_tenant(stage: Stage, endpoint: Endpoint) -> None:
    assert stage.send(endpoint, OPERATOR).code == "tenant_required"
    named_tenant = {"Talktime-Tenant": "acme"}
    assert stage.send(endpoint, OPERATOR, named_tenant).status in endpoint.answers


@named(OF_TENANTS)
@pytest.mark.parametrize("tenant", ["acme", "globex", "nowhere", ""])
@pytest.mark.parametrize("token", [ADMIN, SERVICE], ids=["admin", "service"])
def test_nobody_else_names_one(stage: Stage, endpoint: Endpoint, tenant: str, token: Token) -> None:
    found = stage.send(endpoint, token, {"Talktime-Tenant": tenant})
    assert (found.status, found.code) == (403, "forbidden")


@named(OF_TENANTS)
def test_a_token_without_a_tenant_sees_none(stage: Stage, endpoint: Endpoint) -> None:
    assert stage.send(endpoint, ADMIN.but(tenant_id=None)).code == "forbidden"


@named(OF_ACCOUNTS)
def test_anothers_account_looks_like_none(stage: Stage, endpoint: Endpoint) -> None:
    before = stage.world.book._accounts.copy()
    token, headers = GLOBEX_ADMIN, {}
    if endpoint.roles == OPERATORS:
        token, headers = OPERATOR, {"Talktime-Tenant": "globex"}
    anothers = stage.send(endpoint, token, headers)
    nobodys = stage.send(endpoint, token, headers, acct="nobodys")
    assert anothers.status == 404
    assert (anothers.text, anothers.headers) == (nobodys.text, nobodys.headers)
    assert stage.world.book._accounts == before


@named([endpoint for endpoint in OF_ACCOUNTS if "/funding-sources/{id}" in endpoint.path])
def test_anothers_source_looks_like_none(stage: Stage, endpoint: Endpoint) -> None:
    anothers = stage.send(endpoint, ADMIN, acct="main")
    nobodys = stage.send(endpoint, ADMIN, acct="main", id="src_" + "a" * 20)
    assert (anothers.status, anothers.text) == (404, nobodys.text)


@named([e for e in OF_ACCOUNTS if any(f"{part}{{id}}" in e.path for part in THINGS)])
def test_anothers_order_looks_like_none(stage: Stage, endpoint: Endpoint) -> None:
    anothers = stage.send(endpoint, ADMIN, acct="main")
    nobodys = stage.send(endpoint, ADMIN, acct="main", id="quo_" + "c" * 32)
    assert (anothers.status, anothers.text) == (404, nobodys.text)


@named([endpoint for endpoint in OF_ACCOUNTS if "{payment}" in endpoint.path])
def test_anothers_payment_looks_like_none(stage: Stage, endpoint: Endpoint) -> None:
    tenant = {"Talktime-Tenant": "acme"}
    anothers = stage.send(endpoint, OPERATOR, tenant, acct="main")
    nobodys = stage.send(endpoint, OPERATOR, tenant, acct="main", payment="pay_of_nobody")
    assert (anothers.status, anothers.text) == (404, nobodys.text)


@named([endpoint for endpoint in ENDPOINTS if endpoint.path.startswith("/v1/reservations")])
def test_anothers_reservation_looks_like_none(stage: Stage, endpoint: Endpoint) -> None:
    before = stage.world.reservations.holds(AccountRef("acme", stage.acct))
    token = a_token("service", "globex")
    anothers = stage.send(endpoint, token)
    nobodys = stage.send(endpoint, token, id="res_" + "0" * 24 + "_main")
    assert anothers.status == (204 if endpoint.method == "DELETE" else 404)
    assert (anothers.status, anothers.text) == (nobodys.status, nobodys.text)
    assert stage.world.reservations.holds(AccountRef("acme", stage.acct)) == before


@named([endpoint for endpoint in ENDPOINTS if "{lease}" in endpoint.path])
def test_anothers_lease_looks_like_none(stage: Stage, endpoint: Endpoint) -> None:
    before = stage.world.reservations.holds(AccountRef("acme", stage.acct))
    anothers = stage.send(endpoint, ADMIN, acct="main")
    nobodys = stage.send(endpoint, ADMIN, acct="main", lease="lea_" + "0" * 24)
    assert anothers.status == (204 if endpoint.method == "DELETE" else 404)
    assert (anothers.status, anothers.text) == (nobodys.status, nobodys.text)
    assert stage.world.reservations.holds(AccountRef("acme", stage.acct)) == before


def test_anothers_delivery_looks_like_none(stage: Stage) -> None:
    (endpoint,) = (e for e in ENDPOINTS if e.name == "redeliver_webhook")
    anothers = stage.send(endpoint, ADMIN, acct="main")
    nobodys = stage.send(endpoint, ADMIN, acct="main", id="whd_20260314T120000000000_" + "a" * 24)
    assert (anothers.status, anothers.text) == (404, nobodys.text)


@named([endpoint for endpoint in ENDPOINTS if "{member}" in endpoint.path])
def test_anothers_member_looks_like_none(stage: Stage, endpoint: Endpoint) -> None:
    before = stage.world.talktime.members.member("acme", stage.member)
    anothers = stage.send(endpoint, GLOBEX_ADMIN)
    nobodys = stage.send(endpoint, GLOBEX_ADMIN, member="mem_" + "a" * 20)
    assert (anothers.status, anothers.text) == (404, nobodys.text)
    assert stage.world.talktime.members.member("acme", stage.member) == before


def test_anothers_operation_looks_like_none(stage: Stage) -> None:
    (endpoint,) = (e for e in ENDPOINTS if e.name == "get_operation")
    anothers = stage.send(endpoint, GLOBEX_ADMIN, acct="main")
    nobodys = stage.send(endpoint, GLOBEX_ADMIN, acct="main", id="op_" + "0" * 40)
    assert (anothers.status, anothers.text) == (404, nobodys.text)
    assert stage.send(endpoint, ADMIN, acct="main").status == 404


@pytest.mark.parametrize("name", ["main/recharge/1/settle", "settle", "op_", "open"])
def test_the_systems_own_operations_are_not_shown(stage: Stage, name: str) -> None:
    path = f"/v1/accounts/{stage.acct}/operations/{name}"
    assert stage.world.call("GET", path, token=ADMIN).status == 404


def test_lists_hold_the_tenants_own_alone(stage: Stage) -> None:
    for tenant, token in (("acme", ADMIN), ("globex", GLOBEX_ADMIN)):
        found = stage.world.call("GET", "/v1/accounts", token=token)
        names = {row["name"] for row in found.body["data"]}
        assert names == ({"Acme", "Further"} if tenant == "acme" else {"Globex"})


def test_anothers_cursor_is_refused(stage: Stage) -> None:
    found = stage.world.call("GET", "/v1/accounts", token=ADMIN, limit="1")
    cursor = found.body["next_cursor"]
    again = stage.world.call("GET", "/v1/accounts", token=GLOBEX_ADMIN, limit="1", cursor=cursor)
    assert (again.status, again.code) == (400, "invalid_cursor")


def test_the_same_key_of_two_tenants_is_two_operations(stage: Stage) -> None:
    sources = [
        stage.world.call(
            "POST",
            "/v1/accounts/main/funding-sources",
            SOURCE,
            token=token,
            headers={"Idempotency-Key": "shared"},
        )
        for token in (ADMIN, GLOBEX_ADMIN)
    ]
    assert [found.status for found in sources] == [201, 201]
    assert all("idempotency-replayed" not in found.headers for found in sources)
    assert sources[0].body["source"] != sources[1].body["source"]


MONEY = (
    "balance",
    "may_start_calls",
    "spent",
    "average_daily_spend",
    "runway_days",
    "recharge",
    "rate_deck",
    "plan_expires_on",
    "next_payment",
    "items",
    "owed",
    "numbers",
    "approximate_minutes",
)


def test_a_member_sees_quotas_and_no_money(stage: Stage) -> None:
    stage.world.post_usage(next(iter(stage.world.book.account_refs())), a_usage_event(1))
    member = a_token("member", "acme")
    whole = stage.world.call("GET", "/v1/accounts/default", token=ADMIN)
    found = stage.world.call("GET", "/v1/accounts/default", token=member)
    assert set(whole.body) - set(found.body) == set(MONEY)
    assert found.body["quotas"] == whole.body["quotas"]
    assert "amount" not in found.text


@named([e for e in ENDPOINTS if e.body is not None and "acceptance" in e.body.model_fields])
def test_an_acceptance_is_no_persons_to_skip(stage: Stage, endpoint: Endpoint) -> None:
    sample = SAMPLES[endpoint.name]
    bodies = [
        {name: value for name, value in sample.body.items() if name != "acceptance"},
        {**sample.body, "acceptance": {**ACCEPTANCE, "accepted": False}},
        {**sample.body, "acceptance": {**ACCEPTANCE, "accepted": "true"}},
        {**sample.body, "acceptance": {**ACCEPTANCE, "terms_version": "old"}},
        {**sample.body, "acceptance": {**ACCEPTANCE, "first_name": " "}},
        {**sample.body, "acceptance": {"accepted": True}},
        {**sample.body, "acceptance": None},
    ]
    before = stage.world.book._accounts.copy()
    for number, body in enumerate(bodies):
        headers = {"Idempotency-Key": f"a-{number}", "If-Match": stage.etag}
        if endpoint.name in ("patch_member", "put_billing_profile"):
            headers |= SAMPLES[endpoint.name].headers
        path = stage.path_of(endpoint)
        found = stage.world.call(endpoint.method, path, body, token=ADMIN, headers=headers)
        assert (found.status, found.code) == (422, "acceptance_required"), body
    assert stage.world.book._accounts == before
    service = a_token("service", "acme")
    headers["Idempotency-Key"] = "machine"
    found = stage.world.call(endpoint.method, path, bodies[0], token=service, headers=headers)
    assert found.status in endpoint.answers
