"""Put the demo's tenants into the stack, through its own API. Doing it again changes nothing."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from local import demo
from local.api import ApiError, Client
from local.demo_catalog import CATALOG


def seed(operator: Client, start: datetime) -> None:
    """Catalogue, deck, connection, and the two tenants with their first accounts.

    Args:
        operator: The API as the operator sees it.
        start: When the simulated month begins; the deck is in force before it.
    """
    _put_new(operator, "/v1/catalog", CATALOG)
    effective_at = (start - timedelta(days=1)).isoformat().replace("+00:00", "Z")
    operator.request(
        "PUT",
        f"/v1/rate-decks/{demo.DECK}?currency=USD&decimals=4&effective_at={effective_at}",
        demo.RATES,
    )
    # The month turns in the middle of what is played, wherever today falls.
    billing_day = (start + timedelta(days=demo.SIMULATED_DAYS // 2)).day
    _tenant(operator, "acme", "Acme Corporation", demo.ACME_ZONE, "growth", billing_day)
    _tenant(operator, "globex", "Globex", "Europe/Berlin", "starter", 1)
    _put_new(
        operator,
        f"/v1/connections/{demo.CONNECTION}",
        {
            "provider": "twilio",
            "secrets": [demo.CONNECTION_SECRET],
            "accounts": {
                demo.ACME_SID: {"tenant": "acme", "account": "main"},
                demo.GLOBEX_SID: {"tenant": "globex", "account": "main"},
            },
        },
    )


def prepare_payments(admins: Mapping[str, Client]) -> None:
    """A funding source and an automatic recharge policy for each tenant, set by its own admin."""
    policies = {
        "acme": {
            "mode": "fixed",
            "threshold": {"amount": "10.00", "currency": "USD"},
            "amount": {"amount": "25.00", "currency": "USD"},
        },
        "globex": {
            "mode": "target",
            "threshold": {"amount": "5.00", "currency": "USD"},
            "target": {"amount": "40.00", "currency": "USD"},
        },
    }
    for tenant, api in admins.items():
        api.request(
            "POST",
            "/v1/accounts/default/funding-sources",
            {
                "gateway": "sandbox",
                "token": "tok_succeeds",
                "label": "Visa ending 4242",
                "acceptance": demo.ACCEPTANCE,
            },
            {"Idempotency-Key": "demo-source"},
        )
        settings = api.get("/v1/accounts/default/auto-recharge")
        if settings.body["mode"] == "off":
            api.request(
                "PUT",
                "/v1/accounts/default/auto-recharge",
                {**policies[tenant], "acceptance": demo.ACCEPTANCE},
                {"If-Match": settings.headers["ETag"]},
            )


def _tenant(
    operator: Client, tenant: str, name: str, time_zone: str, plan: str, billing_day: int
) -> None:
    operator.request(
        "POST",
        "/v1/tenants",
        {
            "tenant": tenant,
            "name": name,
            "account": {
                "account": "main",
                "name": f"{name}, main account",
                "currency": "USD",
                "time_zone": time_zone,
                "plan": plan,
                "billing_day": billing_day,
                "rate_deck": demo.DECK,
            },
        },
        {"Idempotency-Key": f"demo-tenant-{tenant}"},
    )


def _put_new(api: Client, path: str, body: Mapping[str, object]) -> None:
    """Create a setting, unless a run before this one has."""
    try:
        api.request("PUT", path, body, {"If-None-Match": "*"})
    except ApiError as error:
        if error.status != 412:
            raise
