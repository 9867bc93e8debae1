"""Parts of calls, and what carriers bill for them, in memory."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from billing.domain.callbacks import CarrierRated
from billing.domain.canonical import digest
from billing.domain.usage import CallKey
from billing.domain.usage_parts import UsagePart
from billing.ports import KeptPart, PartialCall


class InMemoryUsageParts:
    """What was kept, by call and part; nothing expires."""

    def __init__(self) -> None:
        self._kept: dict[PartialCall, dict[UsagePart, KeptPart]] = {}

    def keep(self, kept: KeptPart) -> None:
        self._kept.setdefault(kept.call, {}).setdefault(kept.part, kept)

    def of_call(self, call: PartialCall) -> list[KeptPart]:
        return list(self._kept.get(call, {}).values())

    def settle(self, kept: Iterable[KeptPart]) -> None:
        for each in kept:
            if each.part in self._kept.get(each.call, {}):
                self._kept[each.call][each.part] = replace(each, due_at=None)

    def due(self, now: datetime) -> Iterator[PartialCall]:
        for call, kept in list(self._kept.items()):
            if any(each.due_at is not None and each.due_at <= now for each in kept.values()):
                yield call


class InMemoryCarrierCosts:
    """The latest word on each call."""

    def __init__(self) -> None:
        self._rated: dict[tuple[str, CallKey], CarrierRated] = {}

    def keep(self, tenant_id: str, rated: CarrierRated) -> None:
        kept = self._rated.get((tenant_id, rated.key))
        if kept is None or _order(kept) < _order(rated):
            self._rated[tenant_id, rated.key] = rated

    def of_calls(self, tenant_id: str, keys: Iterable[CallKey]) -> dict[CallKey, CarrierRated]:
        names = ((tenant_id, key) for key in keys)
        return {name[1]: self._rated[name] for name in names if name in self._rated}


def _order(rated: CarrierRated) -> tuple[datetime, str]:
    return rated.at, digest(rated.to_json())
