"""What the demo's operator sells: something of every kind the catalogue knows.

The demo's own tenants hold the two plans without a fee, so that what is played costs them calls
and what Acme has ordered beside its plan (local/purchases.py).
"""

from typing import Any


def _usd(amount: str) -> dict[str, str]:
    return {"USD": amount}


def _term(month: str, year: str | None = None) -> dict[str, dict[str, str]]:
    return {"month": _usd(month), **({"year": _usd(year)} if year else {})}


def _minutes(grant: str, minutes: int, **more: Any) -> dict[str, Any]:
    return {"grant": grant, "unit": "voice_seconds", "quantity": minutes * 60, **more}


def _unit(licence: str, month: str, year: str | None = None, **more: int) -> dict[str, Any]:
    return {"licence": licence, "price": _term(month, year), "tax": "vat", **more}


def _bundle(minutes: int, price: str, days: int) -> dict[str, Any]:
    return {
        "bundle": f"minutes-{minutes}",
        "name": f"{minutes} minutes",
        "unit": "voice_seconds",
        "quantity": minutes * 60,
        "price": _usd(price),
        "tax": "vat",
        "expires_after_days": days,
    }


PLANS = [
    {
        "plan": "growth",
        "name": "Growth",
        "grants": [
            _minutes("minutes", 300, rollover_limit=60 * 60),
            {"grant": "texts", "unit": "messages", "quantity": 20},
        ],
        "units": [
            # More than the demo has members: nobody is charged for being invited.
            _unit("crm-seat", "19.00", "190.00", included=25),
            _unit("qa-seat", "12.00", "120.00"),
            _unit("dialler-port", "35.00", "350.00"),
            _unit("flex-port", "45.00", "450.00"),
        ],
        "most_numbers": 100,
    },
    {"plan": "starter", "name": "Starter", "grants": [_minutes("minutes", 100)]},
    {
        "plan": "solo",
        "name": "Solo",
        "price": _term("29.00", "290.00"),
        "tax": "vat",
        "grants": [_minutes("minutes", 200)],
        "features": {"concurrent_calls": 2},
        "units": [_unit("crm-seat", "15.00", "150.00", included=1)],
        "numbers_included": 1,
        "most_numbers": 3,
    },
    {
        "plan": "team",
        "name": "Team",
        "price": _term("99.00", "990.00"),
        "tax": "vat",
        "grants": [
            _minutes("minutes", 1_000, rollover_limit=200 * 60),
            {"grant": "texts", "unit": "messages", "quantity": 200},
        ],
        "features": {"concurrent_calls": 10, "queue_priority": 10},
        "units": [
            _unit("crm-seat", "19.00", "190.00", included=3, minimum=5),
            _unit("qa-seat", "12.00", "120.00"),
            _unit("dialler-port", "35.00", "350.00", included=1),
            _unit("flex-port", "45.00", "450.00"),
        ],
        "numbers_included": 2,
        "most_numbers": 25,
    },
    {
        "plan": "contact-centre",
        "name": "Contact centre",
        "price": _term("399.00", "3990.00"),
        "tax": "vat",
        "grants": [
            _minutes("minutes", 5_000, rollover_limit=1_000 * 60),
            {"grant": "texts", "unit": "messages", "quantity": 1_000},
        ],
        "features": {"concurrent_calls": 100, "queue_priority": 50},
        "units": [
            _unit("crm-seat", "17.00", "170.00", included=10, minimum=20),
            _unit("qa-seat", "10.00", "100.00", included=2),
            _unit("dialler-port", "30.00", "300.00", included=10, minimum=10),
            _unit("flex-port", "40.00", "400.00"),
        ],
        "numbers_included": 10,
    },
]

CATALOG: dict[str, Any] = {
    "terms_version": "2026-01",
    "terms_url": "https://talktime.example.com/terms/2026-01",
    "terms_text": (
        "1. Calls are paid in advance.\n"
        "2. What is added during a term is charged to its end, and not paid back.\n"
        "3. What is given up ends with its term.\n"
    ),
    "tax_rates": [
        {"tax": "vat", "name": "VAT 20 %", "percentage": "20"},
        {"tax": "sales", "name": "Sales tax 8.875 %", "percentage": "8.875"},
    ],
    "licences": [
        {
            "licence": "crm-seat",
            "name": "CRM seat",
            "mode": "named",
            "on_invite": "add_unit",
        },
        {"licence": "qa-seat", "name": "QA seat", "mode": "named", "on_invite": "lock_out"},
        {"licence": "dialler-port", "name": "Dialler port", "mode": "pooled"},
        {
            "licence": "flex-port",
            "name": "Flex port",
            "mode": "pooled",
            "needs_assignment": True,
        },
    ],
    "plans": PLANS,
    "bundles": [
        _bundle(300, "9.00", 90),
        _bundle(150, "5.00", 60),
        _bundle(100, "3.50", 30),
    ],
    "packages": [
        {
            "package": "toll-free",
            "name": "500 toll-free minutes",
            "price": _term("15.00", "150.00"),
            "tax": "vat",
            "grants": [
                _minutes(
                    "toll-free",
                    500,
                    priority=50,
                    scope={"direction": "inbound", "prefixes": ["1800", "1888", "1877"]},
                )
            ],
        },
        {
            "package": "large-pack",
            "name": "2,000 minutes",
            "price": _term("55.00", "550.00"),
            "tax": "vat",
            "grants": [_minutes("large-pack", 2_000)],
        },
        {
            "package": "unlimited-domestic",
            "name": "Unlimited calls to the United States and Canada",
            "price": _term("79.00", "790.00"),
            "tax": "vat",
            "grants": [
                {
                    "grant": "domestic",
                    "unit": "voice_seconds",
                    "unlimited": True,
                    "priority": 10,
                    "scope": {"direction": "outbound", "prefixes": ["1"]},
                }
            ],
        },
    ],
    "products": [
        {
            "product": "training",
            "name": "Training, one day",
            "price": _usd("450.00"),
            "tax": "sales",
        },
        {
            "product": "consulting",
            "name": "Consulting, one hour",
            "price": _usd("120.00"),
            "tax": "sales",
        },
    ],
    "number_types": [
        {
            "number_type": "local",
            "name": "Local number",
            "capabilities": ["voice", "sms"],
            "up_front": _usd("1.00"),
            "recurring": _usd("2.00"),
            "tax": "vat",
        },
        {
            "number_type": "toll-free",
            "name": "Toll-free number",
            "capabilities": ["voice"],
            "up_front": _usd("5.00"),
            "recurring": _usd("4.00"),
            "tax": "vat",
        },
        {
            "number_type": "mobile",
            "name": "Mobile number",
            "capabilities": ["voice", "sms"],
            "up_front": _usd("3.00"),
            "recurring": _usd("6.00"),
            "tax": "vat",
        },
    ],
    "numbers": {"grace_days": 14, "notice_days": [7, 3, 1]},
    "storage": {
        "included_mb": 250,
        "members_included": 5,
        "per_member_mb": 50,
        "price": _usd("30.00"),
    },
    "dunning": {
        "retry_days": [1, 3, 5, 7],
        "suspend_after_days": 14,
        "refills_while_past_due": True,
    },
    "downgrade": "contact_sales",
    "seller": {
        "name": "Talktime Telecom Inc.",
        "address": ["350 Fifth Avenue", "New York, NY 10118"],
        "country": "US",
        "tax_id": "12-3456789",
    },
    "contacts": {
        "sales": {
            "name": "Talktime sales",
            "email": "sales@talktime.example.com",
            "phone": "+1 212 555 0100",
        },
        "support": {
            "name": "Talktime support",
            "email": "support@talktime.example.com",
            "url": "https://talktime.example.com/help",
        },
        "account_manager": {
            "name": "Road Runner",
            "email": "road.runner@talktime.example.com",
        },
    },
}
