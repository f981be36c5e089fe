"""How often somebody may try: counted exactly in the database, in a transaction of its own that no rollback undoes."""

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from math import ceil
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.secrecy import derived
from zena.kit.errors import RateLimited
from zena.kit.i18n import N_
from zena.kit.ratelimit import Limit
from zena.kit.state import State
from zena.kit.throttle import Backoff, blocked_for, count_hit, forgive, record_failure, throttle_key
from zena.kit.uow import ledger

_WINDOW: Final = 900.0
_NET: Final = 64

#: Letters with links to one address, and asked for from one network address.
RESETS_PER_ADDRESS: Final = Limit(3, 3600)
RESETS_PER_NETWORK: Final = Limit(30, 3600)


@dataclass(frozen=True, slots=True)
class Attempts:
    """The counters one kind of attempt is held against, each with its own patience.

    One account from one network is stopped first; one network over many accounts and one account from many networks
    follow later, so that nobody locks another person out with a handful of wrong passwords.
    """

    keys: dict[bytes, Backoff]

    async def check(self, state: State) -> None:
        """Raise RateLimited while any counter still waits."""
        async with ledger(state.db) as session:
            await self.check_in(session)

    async def check_in(self, session: AsyncSession) -> None:
        wait = await blocked_for(session, list(self.keys))
        if wait > 0:
            raise RateLimited(
                max(1, ceil(wait)), N_("Too many attempts. Try again in %(seconds)s s.", seconds=ceil(wait))
            )

    async def failed(self, state: State) -> None:
        """Count a failure in a transaction of its own."""
        async with ledger(state.db) as session:
            for key in sorted(self.keys):  # one order for all, or two of these could wait for each other
                await record_failure(session, key, self.keys[key])

    async def forgiven(self, session: AsyncSession) -> None:
        """Forget the failures of the narrowest counter after a success, in the caller's transaction."""
        await forgive(session, list(self.keys)[:1])


def sign_in_attempts(state: State, email: str, ip: str | None) -> Attempts:
    free = state.settings.rate_sign_in
    narrow, network, account = sign_in_keys(state.secret, email, network_of(ip))
    return Attempts(
        {
            narrow: Backoff(free=free, window=_WINDOW),
            network: Backoff(free=free * 5, window=_WINDOW),
            account: Backoff(free=free * 10, cap=60.0, window=_WINDOW),
        }
    )


def sign_in_keys(secret: bytes, email: str, network: str) -> tuple[bytes, bytes, bytes]:
    """Return the counters of one account from one network, of that network, and of the account from anywhere."""
    key = derived(secret, "throttle")
    return (
        throttle_key(key, "sign-in", email, network),
        throttle_key(key, "sign-in-net", network),
        throttle_key(key, "sign-in-account", email),
    )


def code_attempts(state: State, user: str) -> Attempts:
    """One-time codes are short: five wrong ones, then each costs twice the wait of the one before."""
    return Attempts({code_key(state.secret, user): Backoff(free=5, base=5.0, cap=900.0, window=3600.0)})


def code_key(secret: bytes, user: str) -> bytes:
    """Return the counter of somebody's one-time codes."""
    return throttle_key(derived(secret, "throttle"), "code", user)


async def count_reset(state: State, email: str, ip: str | None) -> bool:
    """Count a wish for a letter; False when this address has had enough of them. RateLimited for the network."""
    key = derived(state.secret, "throttle")
    async with ledger(state.db) as session:
        net = await count_hit(session, throttle_key(key, "reset-net", network_of(ip)), RESETS_PER_NETWORK)
        address = await count_hit(session, throttle_key(key, "reset", email), RESETS_PER_ADDRESS)
    net.check()
    return address.allowed


def network_of(ip: str | None) -> str:
    """Return what stands for one subscriber: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        address = ip_address(ip or "")
    except ValueError:
        return ip or ""
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(int(address) >> _NET)
