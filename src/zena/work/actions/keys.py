"""Project keys: two to ten letters and digits that people say aloud, unique in the firm."""

import re
import unicodedata
from itertools import count
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.errors import Invalid
from zena.kit.i18n import N_
from zena.kit.scope import Scope
from zena.kit.text import clean_name
from zena.work.models import Project

KEY: Final = re.compile(r"[A-Z][A-Z0-9]{1,9}")
KEY_LENGTH: Final = 10
_FEW_WORDS: Final = 2
_STEM_LENGTH: Final = 5


async def suggest_key(session: AsyncSession, scope: Scope, name: str) -> str:
    """Return a free key made of the name's initials or first letters."""
    scope.require(Permission.PROJECTS_CREATE)
    return await free_key(session, scope, clean_name(name, "name"))


async def free_key(session: AsyncSession, scope: Scope, name: str) -> str:
    """Return the first of STEM, STEM2, STEM3 ... that no project of the firm has, trashed ones included."""
    return await key_like(session, scope, stem_of(name))


async def key_like(session: AsyncSession, scope: Scope, stem: str) -> str:
    """`free_key` for a stem that is known; a long one gives way to its number."""
    stem = stem[:KEY_LENGTH]
    query = select(Project.key).where(Project.tenant_id == scope.tenant, Project.key.startswith(stem[:_STEM_LENGTH]))
    taken = set(await session.scalars(query))
    candidates = (stem if n == 1 else f"{stem[: KEY_LENGTH - len(str(n))]}{n}" for n in count(1))
    return next(key for key in candidates if key not in taken and KEY.fullmatch(key))


def stem_of(name: str) -> str:
    """Return initials of three words or more, else the first three letters; letters of all tongues become A-Z."""
    plain = unicodedata.normalize("NFKD", name.replace("đ", "d").replace("Đ", "D")).encode("ascii", "ignore").decode()
    words = re.findall(r"[A-Z0-9]+", plain.upper())
    letters = "".join(word[0] for word in words) if len(words) > _FEW_WORDS else "".join(words)[:3]
    return letters.lstrip("0123456789")[:_STEM_LENGTH] or "P"


def checked_key(key: str) -> str:
    """Return a key in capitals, or refuse it."""
    wanted = key.strip().upper()
    if not KEY.fullmatch(wanted):
        raise Invalid.field("key", N_("2 to 10 letters A-Z and digits, starting with a letter."), "format")
    return wanted
