"""A world with licences of every kind, and members to use them."""

from billing.domain.account import AccountRef
from billing.domain.audit import By
from billing.domain.authorising import CallWanted
from billing.domain.catalog import Plan
from billing.domain.covering import Destination
from billing.domain.licences import Assignment, held
from billing.domain.members import Member, MemberRole, MemberState, enrolled
from billing.domain.pooling import Lease
from billing.domain.selling import LicenceKind, LicenceMode, OnInvite, UnitTerms
from billing.domain.subscription import Subscription, UnitItem, first_subscription
from billing.domain.units import Direction, Unit
from billing.ports import Reservations
from builders import ACME, USD, a_touch
from catalogs import a_catalog
from unit.world import World

SEAT = LicenceKind("seat", "Seat", on_invite=OnInvite.LOCK_OUT)
CRM = LicenceKind("crm", "CRM seat", on_invite=OnInvite.ADD_UNIT)
DIALLER = LicenceKind("dialler", "Dialler port", LicenceMode.POOLED)
FLEX = LicenceKind("flex", "Flex port", LicenceMode.POOLED, needs_assignment=True)
US = Destination(Unit.VOICE_SECONDS, Direction.OUTBOUND, "+14155550100")
BY = By("acme-admin", None)
RATES = """\
unit,direction,prefix,destination,rate,first_increment_seconds,next_increment_seconds
voice,any,1,North America,0.60,1,1
message,outbound,1,North America,0.01,,
"""


class LicenceWorld(World):
    """An account with so many of each kind, and members named ``m0``, ``m1`` and so on."""

    def __init__(
        self,
        *,
        seats: int = 2,
        ports: int = 2,
        members: int = 4,
        micros: int = 10_000 * USD,
        reservations: Reservations | None = None,
    ) -> None:
        super().__init__()
        if reservations is not None:
            self.use_reservations(reservations)
        plan = Plan(
            "starter",
            "Starter",
            units=(
                UnitTerms("seat", included=seats),
                UnitTerms("crm", included=seats),
                UnitTerms("dialler", included=ports),
                UnitTerms("flex", included=ports),
            ),
        )
        licences = (SEAT, CRM, DIALLER, FLEX)
        self.catalogs.save(a_catalog(plans=(plan,), licences=licences), 0)
        self.upload(RATES)
        self.open()
        self.credit(micros)
        for number in range(members):
            self.add_member(f"m{number}")

    def add_member(
        self,
        member_id: str,
        ref: AccountRef = ACME,
        state: MemberState = MemberState.ACTIVE,
    ) -> None:
        member = Member(
            ref.tenant_id,
            member_id,
            ref.account_id,
            f"{member_id}@{ref.tenant_id}.example",
            "Zoë",
            "Ng",
            MemberRole.MEMBER,
            state,
            self.clock.now(),
        )
        counts = self.book.members.counts(ref.tenant_id)
        self.book.members.apply(enrolled(member, counts))

    def hold(self, *items: UnitItem) -> None:
        """Have bought so many."""
        account = self.account
        subscription = self.subscription
        for item in items:
            subscription = subscription.with_unit(item)
        name = f"bought/{account.version}"
        self.book.commit(a_touch(account, name, self.clock.now(), records=(subscription,)))

    @property
    def subscription(self) -> Subscription:
        return self.book.thing(ACME, Subscription) or first_subscription(self.account)

    def assign(self, kind: str, member_id: str) -> None:
        self.assign_licences.assign(ACME, kind, member_id, BY)

    def remove(self, kind: str, member_id: str) -> None:
        self.assign_licences.remove(ACME, kind, member_id, BY)

    def assigned(self, kind: str) -> int:
        return held(self.book.things(ACME, Assignment), kind)

    def lease(self, member_id: str = "m0", kind: str = "dialler", seconds: int = 600) -> Lease:
        return self.lease_ports.lease(ACME, kind, member_id, seconds)

    def call(
        self,
        call_id: str,
        member_id: str = "",
        licence: str = "dialler",
        to: Destination = US,
        seconds: int = 60,
    ) -> str:
        """Authorise a call: the reservation's name."""
        wanted = CallWanted(call_id, to, seconds, licence, member_id)
        return self.authorise_call.authorise(ACME, wanted).reservation.reservation_id

    def out(self, kind: str = "dialler") -> int:
        return self.reservations.holds(ACME).ports_out(self.clock.now()).get(kind, 0)
