"""Argon2id in two threads of their own: hashing is meant to be slow, and must not be slow for everybody else."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from zena.kit.errors import Unavailable
from zena.kit.i18n import N_

T = TypeVar("T")

#: OWASP's minimum for Argon2id: 19 MiB, two passes, one lane; about 65 ms. Stronger values rehash at the next sign-in.
HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

#: Checked for people who do not exist or have no password, so that they take as long (C07). Nobody knows its password.
DUMMY: Final = "$argon2id$v=19$m=19456,t=2,p=1$6yAAhLv13jD4aPvVprithA$Xg4Ks2qKP28NJ71qdXmlawgl4wNi8L9vemc7WX/lEMY"

#: At most so many wait for a thread; past it the answer is 503, not a queue of minutes.
_MOST_WAITING: Final = 100

_threads: Final = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")
_waiting: Final = asyncio.Semaphore(_MOST_WAITING)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the password was right; `rehash` is its hash under today's parameters where the stored one is older."""

    right: bool
    rehash: str | None = None


async def hash_password(password: str) -> str:
    """Return the hash to store. The password is taken as typed, without normalisation."""
    return await _in_thread(lambda: HASHER.hash(password.encode()))


async def verify_password(stored: str | None, password: str) -> Verdict:
    """Compare a password with a stored hash, taking as long when there is none."""
    return await _in_thread(lambda: _verify(stored, password.encode("utf-8", "surrogatepass")))


def _verify(stored: str | None, password: bytes) -> Verdict:
    try:
        HASHER.verify(stored or DUMMY, password)
    except (VerificationError, InvalidHashError):
        return Verdict(right=False)
    if stored is None:
        return Verdict(right=False)
    return Verdict(right=True, rehash=HASHER.hash(password) if HASHER.check_needs_rehash(stored) else None)


async def _in_thread(work: Callable[[], T]) -> T:
    if _waiting.locked():
        raise Unavailable(
            N_("Too many people are signing in just now. Try again in a moment."), headers={"Retry-After": "5"}
        )
    async with _waiting:
        return await asyncio.get_running_loop().run_in_executor(_threads, work)
