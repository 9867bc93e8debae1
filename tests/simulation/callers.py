"""Diallers: they ask before each call, say which call it was, extend it, hang up, or give up.

What was asked is asked again under the same call id; what was answered must be kept.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from billing.domain.authorising import CallWanted
from billing.domain.covering import Destination
from billing.domain.errors import NotFoundError, TalktimeError
from billing.domain.reservations import Reservation
from billing.domain.units import Direction, Unit
from simulation.errors import InvariantError, require
from simulation.faults import MAX_SKEW
from simulation.holds_checker import HoldsChecker
from simulation.provider import Provider
from simulation.reports import Content, Report
from simulation.switchboard import NOT_ALLOWED, RETRIED, Switchboard
from simulation.tenants import PREFIXES, SITES, UNRATED, Site
from simulation.world import World

LICENCES = ("", "", "", "", "", "dialler", "dialler", "flex", "crm", "qa")
LINES = {"east": ("acme-twilio", "AC-east"), "far-east": ("acme-twilio", "AC-far-east")}
"""At which connection and sub-account an account's calls are reported."""

MOST_GOING = 60
"""Calls that are remembered; older ones have long expired."""


@dataclass
class Going:
    """One call, as its dialler knows it.

    Args:
        answered: The last answer that it was given; None: none has arrived.
        is_over: It was given up or has ended: its reservation may be gone at any time.
        report: What the carrier will say of it.
    """

    site: Site
    wanted: CallWanted
    report: Report
    answered: Reservation | None = None
    is_over: bool = False

    @property
    def tenant_id(self) -> str:
        return self.site.ref.tenant_id


class Callers:
    """Ask, and remember what they were answered."""

    def __init__(
        self, world: World, board: Switchboard, provider: Provider, checker: HoldsChecker
    ) -> None:
        self.going: list[Going] = []
        self._world = world
        self._authorise_call = board.authorise_call
        self._settle = board.settle_reservations
        self._provider = provider
        self._checker = checker
        self._asked = 0
        # Whose diallers are at work: others of the same account get in between.
        self._site = SITES[0]

    @property
    def operations(self) -> Mapping[Callable[[], str], int]:
        return {
            self.authorise: 14,
            self.authorise_again: 2,
            self.extend: 4,
            self.link: 4,
            self.hang_up: 6,
            self.give_up: 3,
            self.meddle: 3,
        }

    @property
    def concurrent(self) -> Mapping[Callable[[], str], int]:
        return {self.authorise: 8, self.extend: 2, self.hang_up: 2, self.give_up: 3}

    def authorise(self) -> str:
        """Calls come in bursts: one dialler's."""
        random = self._world.random
        if random.random() < 0.5:
            self._site = random.choice(SITES)
        site = self._site
        return ", ".join(self._ask(self._another(site)) for _ in range(random.randint(1, 6)))

    def authorise_again(self) -> str:
        """After a lost answer, or because a dialler is not sure."""
        call = self._any(lambda call: not call.is_over)
        return self._ask(call) if call else "nobody calls"

    def _another(self, site: Site) -> Going:
        random = self._world.random
        self._asked += 1
        unit = Unit.VOICE_SECONDS if random.random() < 0.85 else Unit.MESSAGES
        to_number = f"+{random.choice(PREFIXES)}{random.randint(1000000, 9999999)}"
        if random.random() < 0.03:
            to_number = UNRATED
        destination = Destination(unit, random.choice(tuple(Direction)), to_number)
        wanted = CallWanted(
            f"{site.ref.account_id}-{self._asked}",
            destination,
            random.choice((None, 1, 30, 61, 600, 3_600, 14_400)),
            random.choice(LICENCES),
            self._somebody(site),
        )
        line, subaccount = LINES.get(site.ref.account_id, ("globex-twilio", "AC-main"))
        content = Content(unit, destination.direction, to_number, 0)
        report = Report(line, subaccount, f"CC{self._asked}", content, None)
        call = Going(site, wanted, report)
        self.going = [*self.going[-MOST_GOING:], call]
        self._checker.asked(site.ref, wanted.call_id)
        return call

    def _somebody(self, site: Site) -> str:
        """Nobody, a member, or now and then a member of whom another account pays for."""
        random = self._world.random
        members = self._world.book.members.listed(site.ref.tenant_id, None, None, 1_000)
        if not members or random.random() < 0.4:
            return ""
        his = [one for one in members if one.account == site.ref] or members
        return random.choice(his if random.random() < 0.9 else members).member_id

    def _ask(self, call: Going) -> str:
        wanted, ref = call.wanted, call.site.ref
        began, began_at = self._world.reservations.began[-1], self._world.clock.true_now
        try:
            made = self._authorise_call.authorise(ref, wanted).reservation
        except RETRIED as error:
            return f"{wanted.call_id}: {error!r}"
        except NOT_ALLOWED as error:
            self._checker.refused(call.site, wanted, error, began, began_at)
            return f"{wanted.call_id} not allowed: {error!r}"
        require(made.call_id == wanted.call_id, f"{wanted} was answered {made}")
        self._answered(call, made)
        return f"{wanted.call_id} may last {made.cover.seconds} s"

    def extend(self) -> str:
        call = self._any(lambda call: call.answered is not None and not call.is_over)
        if call is None or call.answered is None:
            return "nobody calls"
        if call.wanted.destination.unit is Unit.MESSAGES:
            return "a message is not extended"
        before = call.answered.cover.seconds
        seconds = before + self._world.random.choice((-30, 60, 600))
        try:
            extended = self._authorise_call.extend(
                call.tenant_id, call.answered.reservation_id, min(max(1, seconds), 14_400)
            ).reservation
        except NotFoundError as error:
            self._is_gone(call, error)
            return f"{call.wanted.call_id} has expired"
        except RETRIED as error:
            return f"{call.wanted.call_id}: {error!r}"
        require(extended.cover.seconds >= before, f"{call.answered} was cut to {extended}")
        if extended.cover.seconds >= call.answered.cover.seconds:
            # Else somebody got in between, and was answered more.
            self._answered(call, extended)
        return f"{call.wanted.call_id} may last {extended.cover.seconds} s"

    def link(self) -> str:
        call = self._any(lambda call: call.answered is not None and not call.is_over)
        return self._link(call) if call else "nobody calls"

    def _link(self, call: Going) -> str:
        assert call.answered is not None, "it was answered"
        try:
            self._settle.link(call.tenant_id, call.answered.reservation_id, call.report.key)
        except NotFoundError as error:
            self._is_gone(call, error)
            return f"{call.wanted.call_id} has expired"
        except RETRIED as error:
            return f"{call.wanted.call_id}: {error!r}"
        return f"{call.wanted.call_id} is {call.report.call_id}"

    def hang_up(self) -> str:
        """The carrier reports it, whether or not it was linked; some are linked afterwards."""
        call = self._any(lambda call: call.answered is not None and not call.is_over)
        if call is None or call.answered is None:
            return "nobody calls"
        random = self._world.random
        self._over(call)
        is_linked_late = random.random() < 0.2
        lasted = min(random.randint(0, 900), call.answered.cover.seconds)
        if random.random() < 0.1:
            lasted += 600
        said = self._provider.report_call(_reported(call, lasted, self._world.clock.true_now))
        return f"{said}, {self._link(call)}" if is_linked_late else said

    def give_up(self) -> str:
        call = self._any(lambda call: call.answered is not None)
        if call is None or call.answered is None:
            return "nobody calls"
        self._over(call)
        name = call.answered.reservation_id
        try:
            self._settle.release(call.tenant_id, name)
        except RETRIED as error:
            return f"{call.wanted.call_id}: {error!r}"
        self._checker.freed(name)
        return f"{call.wanted.call_id} given up"

    def meddle(self) -> str:
        """Another tenant names a reservation that is not his."""
        call = self._any(lambda call: call.answered is not None)
        if call is None or call.answered is None:
            return "nobody calls"
        other = next(one for one in SITES if one.ref.tenant_id != call.tenant_id).ref.tenant_id
        name = call.answered.reservation_id
        with_it: tuple[Callable[[], object], ...] = (
            lambda: self._authorise_call.extend(other, name, 14_400),
            lambda: self._settle.link(other, name, call.report.key),
        )
        try:
            self._settle.release(other, name)
            self._world.random.choice(with_it)()
        except NotFoundError:
            return f"{other} has no {name}"
        except RETRIED as error:
            return repr(error)
        raise InvariantError(f"{other} could do something with {name} of {call.tenant_id}")

    def _answered(self, call: Going, made: Reservation) -> None:
        call.answered = made
        if call.is_over:
            self._checker.asked_meanwhile(made.reservation_id)
        else:
            self._checker.answered(call.site.ref, made)

    def _over(self, call: Going) -> None:
        assert call.answered is not None, "it was answered"
        call.is_over = True
        self._checker.over(call.site.ref, call.answered.reservation_id)

    def _is_gone(self, call: Going, error: TalktimeError) -> None:
        """It must have expired, where nobody has freed it."""
        assert call.answered is not None, "it was answered"
        expired_at = call.answered.expires_at - MAX_SKEW
        is_expired = expired_at <= self._world.clock.true_now
        require(call.is_over or is_expired, f"{call.answered} is gone: {error!r}")
        self._over(call)

    def _any(self, is_meant: Callable[[Going], bool]) -> Going | None:
        found = [call for call in self.going[-20:] if is_meant(call)]
        return self._world.random.choice(found) if found else None


def _reported(call: Going, lasted: int, now: datetime) -> Report:
    is_message = call.wanted.destination.unit is Unit.MESSAGES
    content = call.report.content
    return Report(
        call.report.connection_id,
        call.report.subaccount,
        call.report.call_id,
        Content(content.unit, content.direction, content.to_number, 1 if is_message else lasted),
        None if is_message else now.replace(microsecond=0),
    )
