"""A tenant's billing accounts, as they are listed: each in short, and all together."""

from typing import Any, Literal

from api.schemas.accounts import Balance
from api.schemas.base import Instant, MoneyOut, Page, Schema
from billing.domain.recharge_status import RechargeStanding
from billing.services.read_accounts import AccountStanding, Total


class RechargeShort(Schema):
    """How automatic recharge stands, with a sentence for people."""

    state: RechargeStanding
    message: str
    until: Instant | None


class AccountListed(Schema):
    """One account. For a member of the tenant the money's fields are left out.

    ``standing`` says whether its invoices are paid; ``runway_days``, how long the balance lasts,
    null where nothing is spent.
    """

    account: str
    name: str
    created_at: Instant
    currency: str
    standing: Literal["good", "past_due", "suspended"]
    balance: Balance | None = None
    runway_days: int | None = None
    recharge: RechargeShort | None = None

    @staticmethod
    def of(one: AccountStanding, *, with_money: bool) -> "AccountListed":
        account = one.account
        money: dict[str, Any] = {}
        if with_money:
            money = {
                "balance": _balance(account.wallet_micros, one.reserved_micros, account.currency),
                "runway_days": one.runway_days,
                "recharge": RechargeShort(
                    state=one.recharge.standing,
                    message=one.recharge.message,
                    until=one.recharge.until,
                ),
            }
        return AccountListed(
            account=account.ref.account_id,
            name=one.listing.name,
            created_at=one.listing.created_at,
            currency=account.currency,
            standing=account.standing.value,
            **money,
        )


class TotalOut(Schema):
    """What the accounts of one currency hold together."""

    currency: str
    accounts: int
    balance: Balance

    @staticmethod
    def of(total: Total) -> "TotalOut":
        return TotalOut(
            currency=total.currency,
            accounts=total.accounts,
            balance=_balance(total.settled_micros, total.reserved_micros, total.currency),
        )


class AccountsOut(Page[AccountListed]):
    """One page of the accounts.

    ``totals`` are of all the tenant's accounts, by currency, and are told on the first page alone;
    not to members, and not of more than a thousand accounts.
    """

    totals: list[TotalOut] | None = None


def _balance(settled_micros: int, reserved_micros: int, currency: str) -> Balance:
    return Balance(
        settled=MoneyOut.of(settled_micros, currency),
        reserved=MoneyOut.of(reserved_micros, currency),
        available=MoneyOut.of(settled_micros - reserved_micros, currency),
    )
