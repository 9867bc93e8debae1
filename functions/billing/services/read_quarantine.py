"""Read the quarantine as it stands: what was posted meanwhile waits for nobody any more.

Nothing tells an item that its call was posted. The call's record does: the same call, in the same
tenant, with the same billable content, as posted or as corrected since. So an item is settled from
the book whenever it is read, however the call got there. The count that runs by schedule stores
what it settles; reading stores nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from billing.domain.quarantine import (
    Parked,
    ParkedState,
    is_successor,
    settle,
    successor_ids,
)
from billing.domain.usage import Call, CallKey
from billing.ports import Book, Quarantine

PAGE = 100
MAX_READ = 1000
"""Items one request looks at; a filter that few of them pass gives a short page, and a cursor."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which items; None: any.

    Args:
        states: Empty: any.
    """

    reason: str | None = None
    states: frozenset[ParkedState] = frozenset()
    tenant_id: str | None = None
    account_id: str | None = None
    connection_id: str | None = None

    def takes(self, parked: Parked) -> bool:
        account = parked.account
        return (
            self.reason in (None, parked.reason)
            and (not self.states or parked.state in self.states)
            and self.tenant_id in (None, account.tenant_id if account else "")
            and self.account_id in (None, account.account_id if account else "")
            and self.connection_id in (None, parked.connection_id)
        )


@dataclass(frozen=True, slots=True)
class ParkedPage:
    """Items by id; ``after`` is where to go on, None at the end."""

    items: tuple[Parked, ...]
    after: str | None


class ReadQuarantine:
    """Reads, and changes nothing."""

    def __init__(self, quarantine: Quarantine, book: Book) -> None:
        self._quarantine = quarantine
        self._book = book

    def get(self, parked_id: str) -> Parked:
        """
        Raises:
            NotFoundError: Nothing was ever parked under this id.
        """
        (parked,) = self.settled([self._quarantine.get(parked_id)])
        return parked

    def find(self, wanted: Wanted, after: str | None, limit: int) -> ParkedPage:
        """At most so many items by id, after the given one."""
        found: list[Parked] = []
        for _ in range(MAX_READ // PAGE):
            page = self._quarantine.parked(after, PAGE)
            found += filter(wanted.takes, self.settled(page))
            if len(found) > limit:
                return ParkedPage(tuple(found[:limit]), found[limit - 1].parked_id)
            if len(page) < PAGE:
                return ParkedPage(tuple(found), None)
            after = page[-1].parked_id
        return ParkedPage(tuple(found), after)

    def settled(self, parked: Sequence[Parked]) -> list[Parked]:
        """The items as they stand now; what changed is one version later."""
        recorded = self._recorded(parked)
        successors = self._successors(parked)
        return [
            settle(item, recorded.get(_name(item), ()), successors.get(item.parked_id))
            for item in parked
        ]

    def _recorded(
        self, parked: Sequence[Parked]
    ) -> Mapping[tuple[str, CallKey] | None, Sequence[Call]]:
        keys: dict[str, list[CallKey]] = {}
        for item in parked:
            name = _name(item)
            if name is not None:
                keys.setdefault(name[0], []).append(name[1])
        recorded: dict[tuple[str, CallKey] | None, Sequence[Call]] = {}
        for tenant_id, of_tenant in keys.items():
            posted = self._book.calls(tenant_id, of_tenant)
            current = self._book.current_calls(tenant_id, posted)
            for key, call in posted.items():
                recorded[tenant_id, key] = (call, current[key])
        return recorded

    def _successors(self, parked: Sequence[Parked]) -> Mapping[str, Parked]:
        ids = {item.parked_id: successor_ids(item) for item in parked}
        found = self._quarantine.get_many([id_ for of_item in ids.values() for id_ in of_item])
        successors: dict[str, Parked] = {}
        for item in parked:
            others = [found[id_] for id_ in ids[item.parked_id] if id_ in found]
            among = [other for other in others if is_successor(item, other)]
            if among:
                last = max(among, key=lambda other: (other.parked_at, other.parked_id))
                successors[item.parked_id] = last
        return successors


def _name(parked: Parked) -> tuple[str, CallKey] | None:
    """Where its call would be recorded, as far as that is known."""
    key = parked.key()
    if not parked.is_open or parked.account is None or key is None:
        return None
    return parked.account.tenant_id, key
