"""A visit of support to a firm that goes on, by an operator who is nobody here: no session makes it."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import func

from tests.factories.firms import Firm
from zena.accounts.models import SupportVisit
from zena.kit.db import Database
from zena.kit.ids import new_id
from zena.kit.uow import enter_tenant, unit_of_work


async def make_visit(db: Database, firm: Firm, reason: str = "The board shows no tasks") -> UUID:
    visit = SupportVisit(
        tenant_id=firm.tenant,
        id=new_id(),
        operator_id=new_id(),
        operator_name="Some Operator",
        reason=reason,
        ends_at=func.now() + timedelta(hours=1),
    )
    async with unit_of_work(db) as session:
        await enter_tenant(session, firm.tenant)
        session.add(visit)
    return visit.id
