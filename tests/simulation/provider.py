"""The telephony provider: it reports, repeats, comes late, and now and then contradicts itself."""

from dataclasses import replace
from datetime import datetime, timedelta

import usage_ingest.receive
from billing.domain.units import Direction, Unit
from billing.domain.usage import CallKey
from simulation.errors import InvariantError
from simulation.faults import Crash
from simulation.reports import Content, Report
from simulation.tenants import PREFIXES, PUBLIC_URL, SUBACCOUNTS, UNRATED
from simulation.world import World


class Provider:
    """Reports calls and messages, and goes on reporting what was not answered."""

    def __init__(self, world: World) -> None:
        self.reports: list[Report] = []
        self.unanswered: list[Report] = []
        self._world = world
        self._taken: set[tuple[str, CallKey]] = set()

    def report_calls(self) -> str:
        return ", ".join(self._report_call() for _ in range(self._world.random.randint(1, 4)))

    def _report_call(self) -> str:
        random = self._world.random
        quantity = random.choice((0, 1, 29, 30, 31, 60, 61, random.randint(1, 900)))
        ago = random.choice((0, 0, 0, 1, 60, 3_600, 86_400, 3 * 86_400, 40 * 86_400))
        ended_at = self._world.clock.true_now - timedelta(seconds=random.randint(0, ago))
        if random.random() < 0.02:
            ended_at = self._world.clock.true_now + timedelta(hours=1)
        return self._report_new(Unit.VOICE_SECONDS, quantity, ended_at.replace(microsecond=0))

    def report_message(self) -> str:
        return self._report_new(Unit.MESSAGES, 1, None)

    def _report_new(self, unit: Unit, quantity: int, ended_at: datetime | None) -> str:
        random = self._world.random
        connection_id = random.choice(("acme-twilio", "acme-twilio", "globex-twilio"))
        # Globex's provider names Acme's sub-accounts too: a signature vouches for no more than
        # the connection it belongs to.
        subaccounts = (*SUBACCOUNTS, *SUBACCOUNTS, "AC-nobody")
        to_number = f"+{random.choice(PREFIXES)}{random.randint(1000000, 9999999)}"
        if random.random() < 0.05:
            to_number = UNRATED
        content = Content(unit, random.choice(tuple(Direction)), to_number, quantity)
        # Two tenants may well see the same id.
        call_id = f"CA{len(self.reports) // 2}"
        report = Report(connection_id, random.choice(subaccounts), call_id, content, ended_at)
        if (report.tenant_id, report.key) in self._taken:
            report = replace(report, call_id=f"CB{len(self.reports)}")
        return self.report_call(report)

    def report_call(self, report: Report) -> str:
        """A call or message that nobody else has the id of."""
        self._taken.add((report.tenant_id, report.key))
        self.reports.append(report)
        return self._send(report)

    def repeat_report(self) -> str:
        if not self.reports:
            return "nothing to repeat"
        return self._send(self._world.random.choice(self.reports[-40:]))

    def contradict_report(self) -> str:
        random = self._world.random
        calls = [report for report in self.reports[-40:] if report.ended_at is not None]
        if not calls:
            return "nothing to contradict"
        report = random.choice(calls)
        content = replace(report.content, quantity=report.content.quantity + random.randint(1, 60))
        contradiction = replace(report, content=content)
        self.reports.append(contradiction)
        return self._send(contradiction)

    def repeat_unanswered(self) -> str:
        if not self.unanswered:
            return "everything was answered"
        return self._send(self.unanswered.pop(0))

    def _send(self, report: Report) -> str:
        """Calls the webhook; without an answer the provider calls again later."""
        request_id = f"request-{len(self._world.history)}"
        event = report.as_event(request_id)
        try:
            answer = usage_ingest.receive.handle(event, self._world.take_usage, PUBLIC_URL)
        except ConnectionError as error:
            self.unanswered.append(report)
            return f"{report.call_id} not taken: {error}"
        except Crash:
            self.unanswered.append(report)
            raise
        if answer["statusCode"] != 204:
            raise InvariantError(f"a signed callback was answered {answer}")
        return f"{report.key} {report.content.quantity}"
