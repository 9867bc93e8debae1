"""The demo's cast: two tenants, what they are sold, and a month of Acme's calls."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from zoneinfo import ZoneInfo

from local.demo_catalog import CATALOG

SIMULATED_DAYS = 31
STEP = timedelta(hours=4)
"""One recharge cycle: the sweep runs at every fourth hour from midnight UTC on."""

TERMS_VERSION = CATALOG["terms_version"]
DECK = "retail-us"
CONNECTION = "twilio"
CONNECTION_SECRET = "demo-auth-token-of-the-simulated-twilio"
ACME_SID = "AC" + "ac3e" * 8
GLOBEX_SID = "AC" + "910b" * 8
ACME_ZONE = "America/New_York"
ACME_NUMBER = "+12125550100"

ACCEPTANCE = {
    "first_name": "Wile",
    "last_name": "Coyote",
    "terms_version": TERMS_VERSION,
    "accepted": True,
}

RATES = """\
unit,direction,prefix,destination,rate,first_increment_seconds,next_increment_seconds
voice,any,1,United States and Canada,0.0360,60,60
voice,outbound,44,United Kingdom,0.0480,60,60
voice,outbound,447,United Kingdom mobile,0.0960,60,60
voice,outbound,49,Germany,0.0600,60,60
voice,outbound,91,India,0.0840,60,60
message,any,1,United States and Canada,0.0090,,
message,outbound,44,United Kingdom,0.0450,,
"""

DESTINATIONS = (
    ("+1415555", 60),
    ("+44207946", 14),
    ("+4477009", 8),
    ("+4930123", 8),
    ("+9122555", 10),
)
"""Prefixes of the numbers Acme calls, and how often out of a hundred."""


@dataclass(frozen=True, slots=True)
class Callback:
    """One thing Twilio will tell: when it happened, and the form it posts."""

    at: datetime
    params: dict[str, str]


def callbacks(start: datetime, end: datetime, seed: int = 7) -> Iterator[Callback]:
    """Acme's month, in order: calls in office hours, a few unanswered, and some messages.

    Args:
        start: First instant (aware UTC).
        end: Last instant, exclusive (aware UTC).
        seed: The same seed makes the same month, call ids included.
    """
    chance = random.Random(seed)
    day = start.astimezone(ZoneInfo(ACME_ZONE)).replace(hour=0, minute=0, second=0, microsecond=0)
    while day < end:
        busy = chance.randint(18, 26) if day.weekday() < 5 else chance.randint(3, 6)
        made = [_call(chance, day) for _ in range(busy)]
        made += [_message(chance, day) for _ in range(chance.randint(0, 2))]
        yield from sorted((c for c in made if start <= c.at < end), key=lambda c: c.at)
        day += timedelta(days=1)


def _call(chance: random.Random, day: datetime) -> Callback:
    prefix = chance.choices([to for to, _ in DESTINATIONS], [often for _, often in DESTINATIONS])[0]
    status = chance.choices(("completed", "no-answer", "busy"), (88, 8, 4))[0]
    seconds = min(2400, int(chance.lognormvariate(5.2, 0.8)) + 5)
    ended = (day + timedelta(seconds=chance.randint(8 * 3600, 19 * 3600))).astimezone(UTC)
    params = {
        "CallSid": f"CA{chance.getrandbits(128):032x}",
        "AccountSid": ACME_SID,
        "From": ACME_NUMBER,
        "To": f"{prefix}{chance.randint(1000, 9999)}",
        "CallStatus": status,
        "Direction": "outbound-api",
        "Timestamp": format_datetime(ended),
    }
    if status == "completed":
        params |= {"CallDuration": str(seconds), "Duration": str(-(-seconds // 60))}
    return Callback(ended, params)


def _message(chance: random.Random, day: datetime) -> Callback:
    sent = (day + timedelta(seconds=chance.randint(8 * 3600, 19 * 3600))).astimezone(UTC)
    return Callback(
        sent,
        {
            "MessageSid": f"SM{chance.getrandbits(128):032x}",
            "SmsSid": "",
            "AccountSid": ACME_SID,
            "From": ACME_NUMBER,
            "To": f"+1415555{chance.randint(1000, 9999)}",
            "MessageStatus": "delivered",
        },
    )
