"""What Acme buys before its month begins, through the same quote and order as everybody."""

from collections.abc import Mapping
from typing import Any

from local import demo
from local.api import Client

ACCOUNT = "/v1/accounts/default"

WANTS = (
    {"kind": "units", "what": "dialler-port", "quantity": 2},
    {"kind": "bundle", "what": "minutes-100", "quantity": 1},
    {
        "kind": "number",
        "what": "local",
        "e164": demo.ACME_NUMBER,
        "capabilities": ["voice", "sms"],
        "auto_pay": True,
    },
)
STORED_BYTES = 180 * 1024 * 1024


def make(operator: Client, admin: Client, service: Client) -> None:
    """Invite a member, order what is wanted, and tell what is stored.

    Args:
        operator: Whose carrier provides the number.
        admin: Who orders, pays with the first saved card, and invites.
        service: Acme's own software.
    """
    member = {"email": "road.runner@acme.example", "first_name": "Road", "last_name": "Runner"}
    _agreed(admin, "POST", "/v1/members", member, "demo-member")
    # A run that was interrupted has ordered already; quoting again would be another order.
    if not admin.get(f"{ACCOUNT}/orders").body["data"]:
        quote = admin.request("POST", f"{ACCOUNT}/quotes", {"wants": WANTS}).body
        card = admin.get(f"{ACCOUNT}/funding-sources").body["data"][0]["source"]
        order = {"quote_id": quote["quote_id"], "pay_with": {"source": card}}
        _agreed(admin, "POST", f"{ACCOUNT}/orders", order, "demo-order")
    path = f"{ACCOUNT}/numbers/{demo.ACME_NUMBER}/provisioned"
    operator.request("POST", path, headers={"Talktime-Tenant": "acme"})
    service.request("PUT", "/v1/storage", {"used_bytes": STORED_BYTES})


def _agreed(client: Client, method: str, path: str, body: Mapping[str, Any], key: str) -> None:
    agreed = {**body, "acceptance": demo.ACCEPTANCE}
    client.request(method, path, agreed, {"Idempotency-Key": key})
