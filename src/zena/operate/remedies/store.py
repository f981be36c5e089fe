"""The shared cache that is full and keeps what is old: let it give way."""

from collections.abc import Mapping
from typing import Any, Final

from zena.operate.remedies.contract import Plan, Refused, Remedy, Risk, Target, Tell
from zena.operate.symptoms.contract import Look

_OPTION: Final = "maxmemory-policy"
#: What was asked for longest ago goes first, whether it has an end or not: everything in it can be computed again.
_EVICTS: Final = "allkeys-lru"


async def _plan(look: Look, target: Target) -> Plan:  # noqa: ARG001 - there is one shared cache
    from zena.operate.cache.shared import SharedCacheDown, shared  # noqa: PLC0415 - Redis is an extra

    try:
        async with shared(_url(look)) as redis:
            was = _text(next(iter((await redis.config_get(_OPTION)).values())))
            held = (await redis.info("memory"))["used_memory_human"]
    except (SharedCacheDown, StopIteration) as error:
        raise Refused(f"the shared cache does not let its {_OPTION} be read here: set it where it runs") from error
    if was == _EVICTS:
        raise Refused(f"its {_OPTION} is {_EVICTS} already: give it more memory (it holds {held})")
    effects = [
        f"set {_OPTION} from {was} to {_EVICTS}: what was asked for longest ago gives way to what is new",
        "it lasts until the cache is started again: write it into its configuration, too",
    ]
    return Plan({"was": was, "is": _EVICTS}, effects, {"caches": 1}, f"sets it back to {was}")


async def _apply(look: Look, acts_on: Mapping[str, Any], tell: Tell) -> None:
    await _set(look, acts_on["is"])
    tell(f"{_OPTION} is {acts_on['is']}")


async def _undo(look: Look, acts_on: Mapping[str, Any]) -> None:
    await _set(look, acts_on["was"])


async def _set(look: Look, value: str) -> None:
    from zena.operate.cache.shared import SharedCacheDown, shared  # noqa: PLC0415 - as above

    try:
        async with shared(_url(look)) as redis:
            await redis.config_set(_OPTION, value)
    except SharedCacheDown as error:
        raise Refused(f"the shared cache {error}") from error


async def _gone(look: Look, acts_on: Mapping[str, Any]) -> bool:  # noqa: ARG001 - there is one shared cache
    from zena.operate.cache.shared import SharedCacheDown, ping, shared  # noqa: PLC0415 - as above

    try:
        async with shared(_url(look)) as redis:
            await ping(redis)
    except SharedCacheDown:
        return False
    return True


def _url(look: Look) -> str:
    if look.settings.redis_url is None:
        raise Refused("no shared cache is set here")
    return look.settings.redis_url.get_secret_value()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


EVICT_OLD: Final = Remedy(
    "evict_old", "let the shared cache drop what is old", frozenset({("C2", "full")}), Risk.INFRASTRUCTURE,
    _plan, _apply, _gone, undo=_undo,
)  # fmt: skip
