"""Add a funding source to an account; the first one becomes the default."""

from dataclasses import dataclass, replace
from datetime import datetime

from billing.domain.account import Account, AccountRef
from billing.domain.canonical import Json
from billing.domain.change import Change
from billing.domain.recharge import level
from billing.domain.records import AuditRecord, FundingSource, Operation, OperationState
from billing.services.change_account import ChangeAccount


@dataclass(frozen=True, slots=True)
class NewSource:
    """A gateway's token for a card or mandate, and what people call it."""

    source_id: str
    gateway: str
    token: str
    label: str


class AddFundingSource:
    """Keeps the token; card numbers never come this way."""

    def __init__(self, change_account: ChangeAccount) -> None:
        self._change_account = change_account

    def add(
        self,
        ref: AccountRef,
        wanted: NewSource,
        *,
        operation_id: str,
        body_hash: str,
        audit: AuditRecord,
    ) -> FundingSource:
        """Add the source.

        Raises:
            AlreadyRecordedError: The same request was here before; its operation carries what
                ``source_json`` said then.
            IdConflictError: The key was used for another request.
        """
        added: list[FundingSource] = []

        def decide(account: Account, now: datetime) -> Change:
            source = FundingSource(
                account=ref,
                source_id=wanted.source_id,
                gateway=wanted.gateway,
                token=wanted.token,
                label=wanted.label,
                created_at=now,
            )
            added[:] = [source]
            recharging = account.recharging
            if recharging.default_source_id is None:
                recharging = replace(recharging, default_source_id=source.source_id)
            timers = level(replace(account, recharging=recharging), now)
            return Change(
                before=account,
                after=timers.account.next_version(),
                operation=Operation(
                    operation_id=operation_id,
                    body_hash=body_hash,
                    account=ref,
                    state=OperationState.SUCCEEDED,
                    answer=source_json(source, recharging.default_source_id),
                    recorded_at=now,
                ),
                records=(source, audit),
                timers_set=timers.timers_set,
                timers_cleared=timers.timers_cleared,
            )

        self._change_account(ref, decide, (operation_id, body_hash))
        return added[0]


def source_json(source: FundingSource, default_source_id: str | None) -> dict[str, Json]:
    """A funding source as it is shown: without the gateway's token."""
    return {
        "source": source.source_id,
        "gateway": source.gateway,
        "label": source.label,
        "is_default": source.source_id == default_source_id,
        "created_at": source.created_at.isoformat(),
    }
