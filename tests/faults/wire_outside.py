"""Those outside: what they know, what they ask for, and how long they go on."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

from api import sagas
from api.endpoint import Call
from api.problems import RequestError
from api.wiring import Talktime
from billing.adapters.gateways.sandbox_records import Document
from billing.domain.account import AccountRef
from billing.domain.records import Operation, OperationState, TimerKind

REF = AccountRef("acme", "main")
BEGUN = datetime(2026, 3, 1, 8, tzinfo=UTC)
AGAIN = timedelta(seconds=45)
"""When those outside try again: past a client's patience with a request nobody answered."""

MOST_ROUNDS = 40
MOST_DELIVERIES = 5
"""After so many a message goes to its dead letters, as in the template."""

AHEAD = timedelta(days=4)
"""How long the world goes on for timers to fall due."""

SWEPT = (TimerKind.RECHARGE, TimerKind.PAYMENT, TimerKind.PERIOD_END, TimerKind.BILLING)

Request = Callable[["Client"], None]


class StuckError(BaseException):
    """Something never comes to its end. No handler of ours may take it for a failure of its own."""


@dataclass(frozen=True)
class Asked:
    """What a client wants: asked, with the same key, until it is answered."""

    name: str
    request: Request


@dataclass
class Outside:
    """What everybody outside knows, beside what AWS has stored.

    Args:
        tried: What was tried in this round, and waits for the next.
        asking: What clients are still asking for, in turn.
        are_webhooks_early: The gateway's webhooks overtake everybody else; if not, they come last,
            and whoever asked has to ask again.
        announced: Events that were ever seen in the outbox, as the bus is told of them.
    """

    now: datetime
    until: datetime
    rounds: int = 0
    tried: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)
    asking: list[Asked] = field(default_factory=list)
    deliveries: dict[str, int] = field(default_factory=dict)
    announced: set[str] = field(default_factory=set)
    are_webhooks_early: bool = False
    errors: int = 0

    def copy(self) -> "Outside":
        copied = copy.copy(self)
        copied.tried, copied.taken = set(self.tried), set(self.taken)
        copied.asking, copied.deliveries = list(self.asking), dict(self.deliveries)
        copied.announced = set(self.announced)
        return copied


class Client:
    """Asks the API's own services, as its routes do.

    Args:
        documents: The gateway's own book, from which a client knows what it has paid.
    """

    def __init__(self, talktime: Talktime, documents: Mapping[str, Document]) -> None:
        self.talktime = talktime
        self.documents = documents

    def saga(
        self,
        name: str,
        begin: Callable[[Operation], object],
        finish: Callable[[AccountRef], object] | None = None,
    ) -> None:
        """
        Raises:
            RequestError: It is still on its way; ask again.
        """
        call = cast(Call, SimpleNamespace(talktime=self.talktime))
        operation, is_replayed = sagas.begun(call, REF, name, "b" * 64, begin, finish)
        if is_replayed:
            sagas.require_known(call, operation)
        if operation.state in (OperationState.PENDING, OperationState.UNKNOWN):
            raise RequestError("request_in_flight", "it is not known yet")
