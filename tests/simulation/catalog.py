"""What is sold in the simulated world: one of everything, in the currencies of its accounts.

The document is as docs/catalog.md has it, and is put through the real form. The accounts begin on
the three plans without a fee; everything else they buy. Prices are small beside what a recharge
brings, so that wallets can pay for some of it and not for all.
"""

from datetime import date
from decimal import Decimal
from typing import Any

FREE_PLANS = ("rolling", "plain", "split")
PAID_PLANS = ("office", "team")
CENTS = Decimal("0.01")

Document = dict[str, Any]


def _in_all(usd: str, jpy: str, eur: str) -> dict[str, str]:
    return {"USD": usd, "JPY": jpy, "EUR": eur}


def _term(
    month: tuple[str, str, str], year: tuple[str, str, str] | None = None
) -> dict[str, dict[str, str]]:
    return {"month": _in_all(*month), **({"year": _in_all(*year)} if year else {})}


def _seconds(grant: str, quantity: int, **more: int) -> Document:
    return {"grant": grant, "unit": "voice_seconds", "quantity": quantity, **more}


def _messages(grant: str, quantity: int, **more: int) -> Document:
    return {"grant": grant, "unit": "messages", "quantity": quantity, **more}


SEAT = _term(("1.90", "190", "1.70"), ("19.00", "1900", "17.00"))
PORT = _term(("3.10", "310", "2.90"))
"""No price for the year: it costs twelve months."""
QA = _term(("1.20", "120", "1.10"), ("12.00", "1200", "11.00"))

ABROAD = {"direction": "outbound", "prefixes": ["44", "49"]}

CATALOG: Document = {
    "terms_version": "2026-01",
    "terms_url": "https://talktime.example.com/terms/2026-01",
    "quote_minutes": 30,
    "tax_rates": [
        {"tax": "vat", "name": "VAT 20 %", "percentage": "20"},
        {"tax": "ny", "name": "Sales tax 8.875 %", "percentage": "8.875"},
    ],
    "licences": [
        {"licence": "crm", "name": "CRM seat", "mode": "named", "on_invite": "add_unit"},
        {"licence": "qa", "name": "QA seat", "mode": "named", "on_invite": "lock_out"},
        {"licence": "dialler", "name": "Dialler port", "mode": "pooled"},
        {"licence": "flex", "name": "Flex port", "mode": "pooled", "needs_assignment": True},
    ],
    "plans": [
        {
            "plan": "rolling",
            "name": "Minutes and messages, unused minutes roll over",
            "grants": [
                _seconds("voice", 1_800, rollover_limit=600),
                _messages("sms", 10, rollover_limit=10),
            ],
            "units": [
                {"licence": "crm", "included": 1, "price": SEAT, "tax": "vat"},
                {"licence": "dialler", "price": PORT, "tax": "vat"},
            ],
            "most_numbers": 2,
        },
        {
            "plan": "plain",
            "name": "Minutes",
            "grants": [_seconds("voice", 1_800)],
            "units": [
                {"licence": "crm", "price": SEAT, "tax": "vat"},
                {"licence": "dialler", "included": 1, "price": PORT, "tax": "vat"},
            ],
            "most_numbers": 2,
        },
        {
            "plan": "split",
            "name": "Two kinds of minutes",
            "grants": [
                _seconds("weekly", 900, priority=50),
                _seconds("voice", 900, rollover_limit=300),
            ],
            "units": [{"licence": "crm", "included": 2, "price": SEAT, "tax": "vat"}],
            "numbers_included": 1,
        },
        {
            "plan": "office",
            "name": "Office",
            "price": _term(("3.10", "310", "2.90")),
            "tax": "vat",
            "grants": [
                _seconds("voice", 3_000, rollover_limit=600),
                {**_seconds("abroad", 600, rollover_limit=300), "scope": ABROAD},
                _messages("sms", 20),
            ],
            "features": {"concurrent_calls": 10},
            "units": [
                {"licence": "crm", "included": 1, "price": SEAT, "tax": "vat"},
                {"licence": "qa", "price": QA, "tax": "vat"},
                {"licence": "dialler", "price": PORT, "tax": "vat"},
            ],
            "numbers_included": 1,
            "most_numbers": 4,
        },
        {
            "plan": "team",
            "name": "Team",
            "price": _term(("9.90", "990", "8.90"), ("99.00", "9900", "89.00")),
            "tax": "vat",
            "grants": [
                _seconds("voice", 6_000, rollover_limit=1_200),
                {
                    "grant": "home",
                    "unit": "voice_seconds",
                    "unlimited": True,
                    "scope": {"direction": "outbound", "prefixes": ["1"]},
                },
                _messages("sms", 40, rollover_limit=10),
            ],
            "features": {"concurrent_calls": 40, "queue_priority": 10},
            "units": [
                {"licence": "crm", "included": 2, "minimum": 3, "price": SEAT, "tax": "vat"},
                {"licence": "qa", "included": 1, "price": QA, "tax": "vat"},
                {"licence": "dialler", "minimum": 1, "price": PORT, "tax": "vat"},
                {"licence": "flex", "price": PORT, "tax": "ny"},
            ],
            "numbers_included": 2,
        },
    ],
    "bundles": [
        {
            "bundle": "minutes-10",
            "name": "10 minutes",
            "unit": "voice_seconds",
            "quantity": 600,
            "price": _in_all("2.00", "200", "1.80"),
            "tax": "vat",
            "expires_after_days": 30,
        },
        {
            "bundle": "minutes-5",
            "name": "5 minutes, today and tomorrow",
            "unit": "voice_seconds",
            "quantity": 300,
            "price": _in_all("0.35", "35", "0.33"),
            "priority": 20,
            "expires_after_days": 2,
        },
        {
            "bundle": "germany-5",
            "name": "5 minutes to and from Germany",
            "unit": "voice_seconds",
            "quantity": 300,
            "price": _in_all("0.80", "80", "0.75"),
            "scope": {"prefixes": ["49"]},
        },
        {
            "bundle": "texts-20",
            "name": "20 messages",
            "unit": "messages",
            "quantity": 20,
            "price": _in_all("0.99", "99", "0.95"),
            "tax": "ny",
        },
    ],
    "packages": [
        {
            "package": "extra",
            "name": "10 minutes and 5 messages more",
            "price": _term(("1.50", "150", "1.40"), ("15.00", "1500", "14.00")),
            "tax": "vat",
            "grants": [_seconds("extra-voice", 600), _messages("extra-sms", 5)],
        },
        {
            "package": "weekend",
            "name": "5 minutes, burned first",
            "price": _term(("0.79", "79", "0.75")),
            "grants": [_seconds("weekend", 300, priority=10)],
        },
    ],
    "products": [
        {
            "product": "training",
            "name": "Training, one hour",
            "price": _in_all("4.50", "450", "4.10"),
            "tax": "ny",
        }
    ],
    "number_types": [
        {
            "number_type": "local",
            "name": "Local number",
            "capabilities": ["voice", "sms"],
            "up_front": _in_all("1.00", "100", "0.90"),
            "recurring": _in_all("2.00", "200", "1.80"),
            "tax": "vat",
        },
        {
            "number_type": "toll-free",
            "name": "Toll-free number",
            "capabilities": ["voice"],
            "recurring": _in_all("0.45", "45", "0.40"),
        },
    ],
    "numbers": {"grace_days": 5, "notice_days": [3, 1]},
    "storage": {
        "included_mb": 250,
        "members_included": 2,
        "per_member_mb": 50,
        "price": _in_all("3.00", "300", "2.80"),
        "tax": "vat",
    },
    "dunning": {"retry_days": [1, 3, 6], "suspend_after_days": 4, "refills_while_past_due": False},
    "downgrade": "period_end",
    "contacts": {"sales": {"name": "Sales desk", "email": "sales@talktime.example.com"}},
    "seller": {
        "name": "Talktime Telecom Inc.",
        "address": ["350 Fifth Avenue", "New York, NY 10118"],
        "country": "US",
        "tax_id": "12-3456789",
    },
}


def later_version(number: int, existing_from: date | None) -> Document:
    """The catalogue as the operator puts it the next time: a tenth dearer with every version.

    Every third one has cheaper plans arranged by sales; every fourth one sells no weekends.

    Args:
        number: Of the version, 2 or more.
        existing_from: From when it reaches existing subscriptions; None: it reaches nobody.
    """
    document = _dearer(CATALOG, 10 + number - 1)
    assert isinstance(document, dict)
    if number % 3 == 0:
        document["downgrade"] = "contact_sales"
    if number % 4 == 0:
        document["packages"] = [one for one in document["packages"] if one["package"] != "weekend"]
    if existing_from is not None:
        document["existing_from"] = existing_from.isoformat()
    return document


def _dearer(value: Any, tenths: int) -> Any:
    """The same with each amount that stands under a currency at so many tenths."""
    if isinstance(value, list):
        return [_dearer(one, tenths) for one in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == _in_all("", "", "").keys():
        return {code: _rounded(amount, tenths, code) for code, amount in value.items()}
    return {name: _dearer(one, tenths) for name, one in value.items()}


def _rounded(amount: str, tenths: int, currency: str) -> str:
    whole = Decimal(1) if currency == "JPY" else CENTS
    return str((Decimal(amount) * tenths * Decimal("0.1")).quantize(whole))
