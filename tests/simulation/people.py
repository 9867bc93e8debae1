"""People: they ask for recharges until they are answered, and change settings."""

from dataclasses import dataclass, replace

from billing.domain.account import AccountRef
from billing.domain.audit import By
from billing.domain.canonical import Json, digest
from billing.domain.errors import (
    BookBusyError,
    IdConflictError,
    NoFundingSourceError,
    PaymentUnknownError,
    RechargeInProgressError,
)
from billing.domain.recharging import RechargeMode, RechargePolicy
from billing.domain.records import Operation, OperationState
from billing.ports import AlreadyRecordedError
from billing.services.collect_recharge import RechargeRequest
from billing.services.set_auto_recharge import StalePolicyError, policy_etag
from simulation.errors import InvariantError
from simulation.faults import Crash
from simulation.tenants import ACCEPTANCE, SITES, SUBACCOUNTS, Site
from simulation.world import World


@dataclass(frozen=True, slots=True)
class Wish:
    """An immediate recharge that somebody asked for, and asks for again until it is answered."""

    site: Site
    key: str
    amount_micros: int

    @property
    def operation_id(self) -> str:
        return f"op/{self.site.ref.account_id}/{self.key}"

    def request(self, world: World) -> RechargeRequest:
        return RechargeRequest(
            amount_micros=self.amount_micros,
            operation=Operation(
                operation_id=self.operation_id,
                body_hash=digest([self.amount_micros]),
                account=self.site.ref,
                state=OperationState.PENDING,
                answer=None,
                recorded_at=world.clock.now(),
            ),
            audit=world.audit(self.site.ref, self.operation_id, "recharge.request"),
        )


class People:
    """Ask with idempotency keys, and ask again with the same key after every failure."""

    def __init__(self, world: World) -> None:
        self.wishes: list[Wish] = []
        self.unanswered: list[Wish] = []
        self.answers: dict[str, Json] = {}
        self._asked = 0
        self._world = world

    def wish(self) -> str:
        random = self._world.random
        site = random.choice(SITES)
        amount_micros = site.base_micros * random.randint(1, 4) // 5
        self._asked += 1
        wish = Wish(site, f"key-{self._asked}", amount_micros)
        self.wishes.append(wish)
        return self._ask(wish)

    def repeat_wish(self) -> str:
        if self.unanswered and self._world.random.random() < 0.7:
            return self._ask(self.unanswered.pop(0))
        if self.wishes:
            return self._ask(self._world.random.choice(self.wishes[-20:]))
        return "nothing was asked for"

    def _ask(self, wish: Wish) -> str:
        ref = wish.site.ref
        try:
            settled = self._world.request_recharge.request(ref, wish.request(self._world))
        except AlreadyRecordedError as error:
            return self._answered(wish, error.operation)
        except RechargeInProgressError:
            self.unanswered.append(wish)
            return f"{wish.key}: another one is open"
        except NoFundingSourceError as error:
            if wish in self.wishes:
                self.wishes.remove(wish)
            return f"{wish.key} refused: {error!r}"
        except (ConnectionError, BookBusyError, PaymentUnknownError) as error:
            self.unanswered.append(wish)
            return f"{wish.key}: {error!r}"
        except Crash:
            self.unanswered.append(wish)
            raise
        return f"{wish.key}: recharge {settled.ordinal} {settled.state}"

    def _answered(self, wish: Wish, operation: Operation) -> str:
        if operation.state in (OperationState.PENDING, OperationState.UNKNOWN):
            self.unanswered.append(wish)
            return f"{wish.key}: {operation.state}"
        first = self.answers.setdefault(wish.key, operation.answer)
        if first != operation.answer:
            raise InvariantError(f"{wish.key} was answered {first}, then {operation.answer}")
        return f"{wish.key}: {operation.state} again"

    def reuse_key(self) -> str:
        """A key whose request is recorded, with another amount."""
        answered = [wish for wish in self.wishes if wish.key in self.answers]
        if not answered:
            return "no key was used"
        wish = self._world.random.choice(answered)
        other = replace(wish, amount_micros=wish.amount_micros + wish.site.base_micros // 5)
        try:
            self._world.request_recharge.request(wish.site.ref, other.request(self._world))
        except IdConflictError:
            return f"{wish.key} refused"
        except (ConnectionError, BookBusyError) as error:
            return f"{wish.key}: {error!r}"
        raise InvariantError(f"{wish.key} was taken for two different requests")

    def set_policy(self) -> str:
        random = self._world.random
        site = random.choice(SITES)
        base = site.base_micros
        threshold = base * random.randint(0, 4) + random.choice((0, 7))
        policy = random.choice(
            (
                RechargePolicy(RechargeMode.OFF),
                RechargePolicy(RechargeMode.FIXED, threshold, base * 2),
                RechargePolicy(RechargeMode.FIXED, threshold, base, maximum_micros=base * 3),
                RechargePolicy(RechargeMode.TARGET, threshold, target_micros=base * 5),
                RechargePolicy(
                    RechargeMode.TARGET,
                    threshold,
                    target_micros=base * 9,
                    maximum_micros=base * 2,
                ),
                RechargePolicy(
                    RechargeMode.FIXED, threshold, base * 2, monthly_cap_micros=base * 12
                ),
            )
        )
        seen = self._world.book.account(site.ref).recharging.policy
        try:
            self._world.set_auto_recharge.set(
                site.ref,
                policy,
                seen_etag=policy_etag(seen),
                by=By("ann", ACCEPTANCE),
            )
        except (ConnectionError, BookBusyError, StalePolicyError) as error:
            return f"{site.ref}: {error!r}"
        return f"{site.ref} {policy.mode}"

    def remap(self) -> str:
        """The operator gives a sub-account to Acme's other account."""
        connections = self._world.connections
        seen = connections.get("acme-twilio")
        refs: tuple[AccountRef, ...] = tuple(SUBACCOUNTS.values())
        accounts = {**seen.accounts, "AC-east": self._world.random.choice(refs)}
        version = seen.version
        connections.save(replace(seen, accounts=accounts, version=version + 1), version)
        return str(accounts["AC-east"])

    def ask_all(self) -> str:
        unanswered = [wish for wish in self.wishes if wish.key not in self.answers]
        return ", ".join(self._ask(wish) for wish in unanswered)
