"""Set what an account wants to be told of."""

from dataclasses import replace
from datetime import datetime

from billing.domain.account import Account, AccountRef
from billing.domain.alerting import Alerting, checked_alerting
from billing.domain.audit import By
from billing.domain.canonical import Json, digest
from billing.domain.change import Change
from billing.domain.collecting_steps import leveled, step
from billing.domain.errors import IdConflictError
from billing.domain.money import Money
from billing.ports import AlreadyRecordedError
from billing.services.change_account import ChangeAccount
from billing.services.set_auto_recharge import StalePolicyError


def alerting_etag(alerting: Alerting) -> str:
    """The settings' entity tag: equal settings, equal tag, whatever stands by them."""
    percents: list[Json] = list(alerting.grant_percents)
    return digest([percents, alerting.balance_micros, alerting.runway_days])[:16]


class SetAlerts:
    """Replaces the settings; what stands by them and did not before is told at once."""

    def __init__(self, change_account: ChangeAccount) -> None:
        self._change_account = change_account

    def set(self, ref: AccountRef, wanted: Alerting, *, seen_etag: str, by: By) -> Account:
        """Replace the settings, if they are still the ones the caller has seen.

        It changes no bill, so nobody has to accept anything; who did it is kept all the same.

        Args:
            wanted: As of which day it was looked at is not for the caller to say.
            seen_etag: From ``alerting_etag``.

        Raises:
            InvalidInputError: Names the field.
            StalePolicyError: Somebody else set them since.
        """

        def decide(account: Account, now: datetime) -> Change:
            before = account.alerting
            if alerting_etag(before) != seen_etag:
                raise _stale()
            settings = replace(
                checked_alerting(wanted, account.currency), looked_on=before.looked_on
            )
            # The version makes it this change and no other: setting A, B and A again is three.
            name = f"alerts/{account.version}"
            operation = step(account, name, [alerting_etag(settings)], now)
            timers = leveled(account, replace(account, alerting=settings), now)
            return Change(
                before=account,
                after=timers.account.next_version(),
                operation=operation,
                records=(
                    by.audit(
                        ref,
                        operation.operation_id,
                        "alerts.set",
                        before=_shown(before, account.currency),
                        after=_shown(settings, account.currency),
                        at=now,
                    ),
                ),
                timers_set=timers.timers_set,
                timers_cleared=timers.timers_cleared,
                events=timers.events,
            )

        try:
            change = self._change_account(ref, decide)
        except (AlreadyRecordedError, IdConflictError) as error:
            # Somebody else set them from the version we have seen, which names the operation.
            raise _stale() from error
        assert change is not None
        return change.after


def _stale() -> StalePolicyError:
    return StalePolicyError("the settings have changed since; read them again")


def _shown(alerting: Alerting, currency: str) -> dict[str, Json]:
    low: Json = None
    if alerting.balance_micros is not None:
        money = Money(alerting.balance_micros, currency)
        low = {"amount": money.amount, "currency": money.currency}
    percents: list[Json] = list(alerting.grant_percents)
    return {"grant_percents": percents, "low_balance": low, "runway_days": alerting.runway_days}
