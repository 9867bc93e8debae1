"""Asking with idempotency keys: again with the same key after every failure, until it is answered.

What was answered once is answered for good; what was refused has changed nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass

from billing.domain.canonical import Json, digest
from billing.domain.errors import IdConflictError, TalktimeError
from billing.domain.records import Operation, OperationState
from billing.ports import AlreadyRecordedError
from simulation.errors import InvariantError, require
from simulation.faults import Crash
from simulation.shop import RETRIED
from simulation.tenants import Site
from simulation.world import World

Act = Callable[[Operation], object]


@dataclass(frozen=True, slots=True)
class Ask:
    """One request with its key.

    Args:
        body: What two requests under one key must agree on.
        act: Asks the service; the operation is its first argument.
    """

    site: Site
    key: str
    body: Json
    act: Act

    @property
    def operation_id(self) -> str:
        return f"op/{self.site.ref.account_id}/{self.key}"


class Asker:
    """Keeps what was asked and what was answered.

    Args:
        name: Of its keys.
        refusals: Definite answers: nothing has been done.
    """

    def __init__(self, world: World, name: str, *refusals: type[TalktimeError]) -> None:
        self.asks: list[Ask] = []
        self.answers: dict[str, tuple[OperationState, Json]] = {}
        self._unanswered: list[Ask] = []
        self._refused: set[str] = set()
        self._done: set[str] = set()
        self._world = world
        self._name = name
        self._refusals = refusals

    def ask(self, site: Site, body: Json, act: Act) -> str:
        asked = Ask(site, f"{self._name}-{len(self.asks)}", body, act)
        self.asks.append(asked)
        return self._ask(asked)

    def again(self) -> str:
        """What was not answered; what was; or anything that was asked of late."""
        random = self._world.random
        if self._unanswered and random.random() < 0.6:
            return self._ask(self._unanswered.pop(0))
        if not self.asks:
            return "nothing was asked for"
        answered = [asked for asked in self.asks[-60:] if asked.key in self.answers]
        return self._ask(random.choice(answered or self.asks[-20:]))

    def reuse_key(self, act: Act) -> str:
        """A key whose request is recorded, with another body."""
        answered = [asked for asked in self.asks[-50:] if asked.key in self.answers]
        if not answered:
            return "no key was used"
        used = self._world.random.choice(answered)
        other = Ask(used.site, used.key, ["another body"], act)
        try:
            other.act(self._operation(other))
        except IdConflictError:
            return f"{used.key} refused"
        except RETRIED as error:
            return f"{used.key}: {error!r}"
        raise InvariantError(f"{used.key} was taken for two different requests")

    def ask_all(self) -> str:
        """Everything that is neither answered nor refused."""
        return ", ".join(self._ask(asked) for asked in self.open)

    @property
    def open(self) -> list[Ask]:
        known = self.answers.keys() | self._refused
        return [asked for asked in self.asks if asked.key not in known]

    def _ask(self, asked: Ask) -> str:
        # Of two at once, both may be told that it is done.
        was_known = asked.key in self.answers or asked.key in self._done
        try:
            asked.act(self._operation(asked))
        except AlreadyRecordedError as error:
            return self._answered(asked, error.operation)
        except RETRIED as error:
            self._unanswered.append(asked)
            return f"{asked.key}: {error!r}"
        except self._refusals as error:
            is_known = asked.key in self.answers or asked.key in self._done
            require(not is_known, f"{asked.key} was done, and then {error!r}")
            self._refused.add(asked.key)
            return f"{asked.key} {asked.body}: {error!r}"
        except Crash:
            self._unanswered.append(asked)
            raise
        self._refused.discard(asked.key)
        require(not was_known, f"{asked.key} was done, and is done again")
        self._done.add(asked.key)
        return f"{asked.key} {asked.body} done"

    def _answered(self, asked: Ask, operation: Operation) -> str:
        if operation.state in (OperationState.PENDING, OperationState.UNKNOWN):
            self._unanswered.append(asked)
            return f"{asked.key}: {operation.state}"
        self._refused.discard(asked.key)
        said = (operation.state, operation.answer)
        first = self.answers.setdefault(asked.key, said)
        require(first == said, f"{asked.key} was answered {first}, then {said}")
        return f"{asked.key}: {operation.state} again"

    def _operation(self, asked: Ask) -> Operation:
        return Operation(
            operation_id=asked.operation_id,
            body_hash=digest(asked.body),
            account=asked.site.ref,
            state=OperationState.PENDING,
            answer=None,
            recorded_at=self._world.clock.now(),
        )
