"""Set the automatic recharge policy of an account."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime

from billing.domain.account import Account, AccountRef
from billing.domain.audit import By
from billing.domain.canonical import Json, digest
from billing.domain.change import Change
from billing.domain.errors import ConflictError, IdConflictError
from billing.domain.money import Money
from billing.domain.periods import local_day
from billing.domain.recharge import level
from billing.domain.recharge_policy import validate_policy
from billing.domain.recharging import RechargePolicy
from billing.domain.records import Operation, OperationState
from billing.ports import AlreadyRecordedError
from billing.services.change_account import ChangeAccount


class StalePolicyError(ConflictError):
    """The settings are no longer what the caller has seen."""

    code = "stale_settings"


def policy_etag(policy: RechargePolicy) -> str:
    """The settings' entity tag: equal settings, equal tag, whatever else moved on the account."""
    return digest(_policy_json(policy))[:16]


class SetAutoRecharge:
    """Replaces the policy; whoever sets it also lifts a suspension."""

    def __init__(self, change_account: ChangeAccount) -> None:
        self._change_account = change_account

    def set(
        self,
        ref: AccountRef,
        policy: RechargePolicy,
        *,
        seen_etag: str,
        by: By,
    ) -> Account:
        """Replace the policy, if it is still the one the caller has seen.

        Args:
            seen_etag: From ``policy_etag``.

        Returns:
            The account with the new policy; its timer already agrees.

        Raises:
            InvalidInputError: Names the field.
            StalePolicyError: Somebody else set it since.
        """

        def decide(account: Account, now: datetime) -> Change:
            before = account.recharging.policy
            if policy_etag(before) != seen_etag:
                raise StalePolicyError("the settings have changed since; read them again")
            validate_policy(policy, account.currency)
            recharging = replace(
                account.recharging.resumed(),
                policy=policy,
                # A calendar begins with its next day: nobody is charged for pressing save.
                calendar_after=local_day(now, account.time_zone),
            )
            hours = account.hourly_spend if policy.is_early else ()
            timers = level(replace(account, recharging=recharging, hourly_spend=hours), now)
            # The version makes it this change and no other: setting A, B and A again is three.
            operation_id = f"{ref.account_id}/auto-recharge/{account.version}"
            return Change(
                before=account,
                after=timers.account.next_version(),
                operation=Operation(
                    operation_id=operation_id,
                    body_hash=digest(_policy_json(policy)),
                    account=ref,
                    state=OperationState.SUCCEEDED,
                    answer=None,
                    recorded_at=now,
                ),
                records=(
                    by.audit(
                        ref,
                        operation_id,
                        "auto_recharge.set",
                        before=_shown(before, account.currency),
                        after=_shown(policy, account.currency),
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
            # Somebody else set it from the version we have seen, which names the operation.
            raise StalePolicyError("the settings have changed since; read them again") from error
        assert change is not None
        return change.after


def _policy_json(policy: RechargePolicy) -> Mapping[str, Json]:
    return asdict(policy)


def _shown(policy: RechargePolicy, currency: str) -> dict[str, Json]:
    """The settings as people read them: money as an amount of the account's currency."""
    shown: dict[str, Json] = {}
    for name, value in _policy_json(policy).items():
        if name.endswith("_micros"):
            micros = value if isinstance(value, int) else None
            amount = None if micros is None else Money(micros, currency).amount
            money: Json = None if amount is None else {"amount": amount, "currency": currency}
            shown[name.removesuffix("_micros")] = money
        else:
            shown[name] = value
    return shown
