"""Who looks after a tenant: its admins, who invite and remove; and the operator, who measures what
is stored and puts new catalogues."""

from datetime import timedelta

from billing.domain.errors import ConflictError, LastAdminError, MemberExistsError
from billing.domain.members import Amendment, Member, MemberRole, MemberState
from billing.domain.records import Operation
from billing.services.change_members import NewMember
from simulation.asking import Act, Asker
from simulation.beginning import catalog_from
from simulation.catalog import later_version
from simulation.number_desk import OPERATOR
from simulation.shop import RETRIED, Shop
from simulation.shoppers import ANN
from simulation.tenants import SITES, Site
from simulation.world import World

MB = 1024 * 1024
ADDRESSES = 12
"""So few that people are invited twice."""

MOST_MEMBERS = 8


class Staff:
    """Invites with idempotency keys; everything else is the same the second time."""

    def __init__(self, world: World, shop: Shop) -> None:
        self.invitations = Asker(world, "invite", MemberExistsError)
        self._world = world
        self._shop = shop

    def invite(self) -> str:
        random = self._world.random
        site = random.choice(SITES)
        name = f"m{random.randrange(ADDRESSES)}"
        role = random.choice((MemberRole.MEMBER, MemberRole.BILLING_ADMIN))
        state = random.choice((MemberState.INVITED, MemberState.ACTIVE))
        if len(self._members(site.ref.tenant_id)) >= MOST_MEMBERS:
            return f"{site.ref.tenant_id} is full"
        body = [site.ref.account_id, name, role.value, state.value]
        return self.invitations.ask(site, body, self._inviting(site, name, role, state))

    def invite_again(self) -> str:
        return self.invitations.again()

    def _inviting(self, site: Site, name: str, role: MemberRole, state: MemberState) -> Act:
        def invite(operation: Operation) -> None:
            wanted = NewMember(
                account=site.ref,
                member_id=operation.operation_id.replace("/", "-"),
                email=f"{name}@{site.ref.tenant_id}.example",
                first_name="Zoë",
                last_name="Ng",
                role=role,
                state=state,
            )
            self._shop.change_members.enrol(
                wanted,
                operation_id=operation.operation_id,
                body_hash=operation.body_hash,
                by=ANN,
            )

        return invite

    def amend_member(self) -> str:
        """Whoever was invited becomes active; who was removed may come back."""
        member = self._anybody(*MemberState)
        if member is None:
            return "nobody is there"
        wanted = Amendment(state=MemberState.ACTIVE)
        if member.is_active:
            wanted = Amendment(role=self._world.random.choice(tuple(MemberRole)))
        seen = member.revision
        try:
            self._shop.change_members.amend(
                member.tenant_id, member.member_id, wanted, seen_revision=seen, by=ANN
            )
        except (*RETRIED, ConflictError, LastAdminError, MemberExistsError) as error:
            return f"{member.member_id}: {error!r}"
        return f"{member.member_id} amended"

    def remove_member(self) -> str:
        member = self._anybody(MemberState.INVITED, MemberState.ACTIVE)
        if member is None:
            return "nobody is there"
        try:
            self._shop.change_members.deactivate(member.tenant_id, member.member_id, ANN)
        except (*RETRIED, LastAdminError) as error:
            return f"{member.member_id}: {error!r}"
        return f"{member.member_id} removed"

    def _anybody(self, *states: MemberState) -> Member | None:
        random = self._world.random
        tenant_id = random.choice(SITES).ref.tenant_id
        found = [
            one
            for one in self._world.book.members.listed(tenant_id, None, None, 1_000)
            if one.state in states
        ]
        return random.choice(found) if found else None

    def _members(self, tenant_id: str) -> list[Member]:
        listed = self._world.book.members.listed(tenant_id, None, None, 1_000)
        return [one for one in listed if one.is_created]

    def gauge(self) -> str:
        """The same as before, now and then: it is told again."""
        random = self._world.random
        tenant_id = random.choice(("acme", "globex"))
        used_bytes = random.choice((0, 250, 251, 300, 1_274, 1_275, 2_600)) * MB
        used_bytes += random.choice((-1, 0, 1)) if used_bytes else 0
        try:
            view = self._shop.gauge_storage.tell(tenant_id, used_bytes, OPERATOR)
        except RETRIED as error:
            return f"{tenant_id} {used_bytes}: {error!r}"
        return f"{tenant_id} {used_bytes}, charged {view.assessed.charged_gb}"

    def put_catalog(self) -> str:
        """Dearer, for what is sold from now on; or from some day on for what is sold already."""
        random = self._world.random
        existing_from = None
        if random.random() < 0.5:
            ahead = timedelta(days=random.randint(3, 45))
            existing_from = (self._world.clock.true_now + ahead).date()
        try:
            seen = self._shop.save_catalog.current_version()
            document = later_version(seen + 1, existing_from)
            saved = self._shop.save_catalog.save(catalog_from(document), seen)
        except (*RETRIED, ConflictError) as error:
            return repr(error)
        return f"version {saved.version}, for what exists from {existing_from}"
