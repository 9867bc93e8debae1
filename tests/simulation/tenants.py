"""Who lives in the world: two tenants, three accounts, and what they were sold."""

from dataclasses import dataclass

from billing.domain.account import AccountRef
from billing.domain.recharging import RechargeMode, RechargePolicy
from billing.domain.records import Acceptance

PUBLIC_URL = "https://billing.example.com"
PREFIXES = ("1", "44", "49")
UNRATED = "+9990001"
MAJOR = 1_000_000


@dataclass(frozen=True, slots=True)
class Tariff:
    """The one price of a deck, in words the checker can do its own arithmetic with."""

    second_micros: int
    message_micros: int
    connect_fee_micros: int
    first_increment_seconds: int
    next_increment_seconds: int

    def as_csv(self) -> str:
        fee, message = _decimal(self.connect_fee_micros), _decimal(self.message_micros)
        minute = _decimal(60 * self.second_micros)
        increments = f"{self.first_increment_seconds},{self.next_increment_seconds}"
        prefixes = " ".join(PREFIXES)
        return (
            "unit,direction,prefix,destination,rate,connect_fee,"
            "first_increment_seconds,next_increment_seconds\n"
            f"voice,any,{prefixes},Anywhere,{minute},{fee},{increments}\n"
            f"message,any,{prefixes},Anywhere,{message},0,,\n"
        )


@dataclass(frozen=True, slots=True)
class Site:
    """One account, and what it was opened with.

    Args:
        base_micros: A small payment in its currency; policies are multiples of it.
        cards: The default, and the backups in their order.
    """

    ref: AccountRef
    currency: str
    time_zone: str
    billing_day: int
    plan_id: str
    tariff: Tariff
    base_micros: int
    policy: RechargePolicy
    cards: tuple[str, ...] = ("card",)

    @property
    def deck_id(self) -> str:
        return f"deck-{self.currency}"


SITES = (
    Site(
        AccountRef("acme", "east"),
        "USD",
        "America/New_York",
        31,
        "rolling",
        Tariff(20_000, 7_500, 0, 60, 60),
        5 * MAJOR,
        RechargePolicy(RechargeMode.FIXED, threshold_micros=10 * MAJOR, amount_micros=20 * MAJOR),
        ("card", "spare", "last"),
    ),
    Site(
        AccountRef("acme", "far-east"),
        "JPY",
        "Asia/Tokyo",
        1,
        "plain",
        Tariff(2_250_000, 900_001, 0, 30, 6),
        500 * MAJOR,
        RechargePolicy(
            RechargeMode.TARGET, threshold_micros=1_000 * MAJOR, target_micros=5_000 * MAJOR
        ),
        ("card", "spare"),
    ),
    Site(
        AccountRef("globex", "main"),
        "EUR",
        "Europe/Berlin",
        15,
        "split",
        Tariff(18_000, 60_000, 50_000, 1, 1),
        5 * MAJOR,
        RechargePolicy(RechargeMode.OFF),
    ),
)

SUBACCOUNTS = {"AC-east": SITES[0].ref, "AC-far-east": SITES[1].ref}
SECRETS = {"acme-twilio": "acme-secret", "globex-twilio": "globex-secret"}
TENANT_OF = {"acme-twilio": "acme", "globex-twilio": "globex"}

ACCEPTANCE = Acceptance("Ann", "Ames", "2026-01")


def _decimal(micros: int) -> str:
    return f"{micros // MAJOR}.{micros % MAJOR:06d}"
