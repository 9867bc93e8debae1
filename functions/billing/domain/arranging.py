"""People arrange funding sources: who is asked first, who then, and who never again."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from billing.domain.account import Account
from billing.domain.audit import By
from billing.domain.canonical import Json, digest
from billing.domain.change import Change
from billing.domain.collecting_steps import step
from billing.domain.declines import DeclineGroup
from billing.domain.errors import (
    DefaultSourceError,
    InvalidInputError,
    SourceInUseError,
    SourceNotActiveError,
)
from billing.domain.funding import Sources, change_of, event_of, notice_hours
from billing.domain.recharging import RechargeMode, Recharging
from billing.domain.records import (
    AuditRecord,
    EventType,
    FundingSource,
    Operation,
    SourceState,
)
from billing.domain.source_shown import source_json
from billing.domain.sources import is_expired


def made_default(
    account: Account, source: FundingSource, sources: Sources, by: By, now: datetime
) -> Change | None:
    """Ask this source first; the old default becomes the first backup. None: nothing changes.

    A person vouches for it: what had blocked it is over, but for what never may be, and automatic
    recharge goes on.

    Raises:
        SourceNotActiveError: It is not saved yet, or has expired.
    """
    if source.state is not SourceState.ACTIVE or is_expired(account, source, now):
        raise SourceNotActiveError("only a saved source that has not expired can be the default")
    old = account.recharging
    demoted = (old.default_source_id,) if old.default_source_id else ()
    recharging = replace(
        old.resumed(),
        default_source_id=source.source_id,
        backup_source_ids=tuple(
            one for one in (*demoted, *old.backup_source_ids) if one != source.source_id
        ),
        notice_hours=notice_hours(source),
    )
    trusted = source
    if source.blocked_group is not DeclineGroup.NEVER:
        trusted = replace(source, blocked_code=None, blocked_group=None)
    if recharging.default_source_id == old.default_source_id:
        recharging = replace(recharging, backup_source_ids=old.backup_source_ids)
    if (recharging, trusted) == (old, source):
        return None
    name = f"source/{source.source_id}/default/v{account.version}"
    operation = step(account, name, [], now)
    audit = _audit(account, operation, by, "funding_source.made_default", recharging)
    return change_of(
        account, recharging, trusted, sources, operation=operation, now=now, records=(audit,)
    )


def reordered(account: Account, wanted: Sequence[str], by: By, now: datetime) -> Change | None:
    """Ask the backups in another order; None: it is theirs already.

    Args:
        wanted: Every backup's id, once.

    Raises:
        InvalidInputError: Names what is missing, and what is no backup.
    """
    standing = account.recharging.backup_source_ids
    missing = [one for one in standing if one not in wanted]
    unknown = sorted({one for one in wanted if one not in standing})
    if missing or unknown or len(set(wanted)) != len(wanted):
        wrong = [
            f"missing: {', '.join(missing)}" if missing else "",
            f"not backups: {', '.join(unknown)}" if unknown else "",
        ]
        why = "; ".join(filter(None, wrong)) or "one is named twice"
        raise InvalidInputError(f"name every backup once, and no other ({why})", field="sources")
    if tuple(wanted) == standing:
        return None
    recharging = replace(account.recharging, backup_source_ids=tuple(wanted))
    name = f"sources/order/{digest(list(wanted))[:16]}/v{account.version}"
    operation = step(account, name, [], now)
    audit = _audit(account, operation, by, "funding_sources.ordered", recharging)
    return change_of(account, recharging, None, {}, operation=operation, now=now, records=(audit,))


def removed(
    account: Account, source: FundingSource, sources: Sources, by: By, now: datetime
) -> Change | None:
    """Never ask this source again. None: it is removed already.

    It stays in the book, since payments refer to it; its token stays until the gateway has
    forgotten it, and is no longer asked for money.

    Raises:
        SourceInUseError: A payment from it is open.
        DefaultSourceError: It is the default, and there is another one or automatic recharge is on.
    """
    if source.state is SourceState.REMOVED and source.blocked_code is None:
        return None
    recharging = account.recharging
    if any(one.source_id == source.source_id for one in recharging.opened):
        raise SourceInUseError("a payment from this source is open; wait for its outcome")
    if source.source_id == recharging.default_source_id:
        if recharging.backup_source_ids:
            raise DefaultSourceError("make another source the default first")
        if recharging.policy.mode is not RechargeMode.OFF:
            raise DefaultSourceError(
                "automatic recharge needs a source: switch it off, or make another one the default"
            )
        recharging = replace(recharging, default_source_id=None, notice_hours=0)
    recharging = replace(
        recharging,
        backup_source_ids=tuple(
            one for one in recharging.backup_source_ids if one != source.source_id
        ),
    )
    gone = replace(source, state=SourceState.REMOVED, blocked_code=None, blocked_group=None)
    operation = step(account, f"source/{source.source_id}/removed", [], now)
    audit = replace(
        _audit(account, operation, by, "funding_source.removed", recharging),
        before=source_json(account, source, now),
        after={},
    )
    is_told = source.state is SourceState.ACTIVE
    return change_of(
        account,
        recharging,
        gone,
        sources,
        operation=operation,
        now=now,
        records=(audit,),
        event=event_of(account, operation, EventType.FUNDING_SOURCE_REMOVED, source, now)
        if is_told
        else None,
    )


def forgotten(account: Account, source: FundingSource, now: datetime) -> Change | None:
    """The gateway has let go of a removed source; None: the book has, too."""
    if source.state is not SourceState.REMOVED or not source.token:
        return None
    operation = step(account, f"source/{source.source_id}/forgotten", [], now)
    blank = replace(source, token="")
    return change_of(account, account.recharging, blank, {}, operation=operation, now=now)


def _audit(
    account: Account, operation: Operation, by: By, action: str, after: Recharging
) -> AuditRecord:
    return by.audit(
        account.ref,
        operation.operation_id,
        action,
        before=_order_json(account.recharging),
        after=_order_json(after),
        at=operation.recorded_at,
    )


def _order_json(recharging: Recharging) -> dict[str, Json]:
    return {
        "default": recharging.default_source_id,
        "backups": list(recharging.backup_source_ids),
        "suspended": recharging.suspended_reason,
    }
