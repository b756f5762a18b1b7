"""The turns that run in all processes: leases in Redis, which lapse when a process dies.

Each user, tenant and the server has a sorted set with a member for each turn that runs or waits.
Its score is the time when the lease lapses, by the clock of Redis. The process renews the leases of
its turns, so Redis may forget them all: they come back with the next renewal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from uuid import uuid4

from redis.asyncio import Redis

from chatkit_server import Settings

from .refusals import SCOPES, Scope, no_place
from .windows import Who

LEASE = 4.0
"""Seconds after which the turns of a dead process do not count any more."""

RENEWAL = 1.0
"""Seconds between two renewals."""

_PER_CALL = 100
"""Turns that are renewed with one message to Redis, which takes a millisecond or two."""

_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local member, lease, interrupts = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1'

-- As the server counts: what interrupts the turn in its thread takes the place of that
local function counted(key)
    if not interrupts or key ~= KEYS[1] then
        return redis.call('ZCARD', key), false
    end
    local total, threads = 0, {}
    for _, other in ipairs(redis.call('ZRANGE', key, 0, -1)) do
        local thread = string.match(other, '^(.*)|')
        threads[thread] = (threads[thread] or 0) + 1
        if thread == '' or threads[thread] ~= 2 then
            total = total + 1
        end
    end
    local own = string.match(member, '^(.*)|')
    return total, own ~= '' and threads[own] == 1
end

for _, key in ipairs(KEYS) do
    redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
end
for i, key in ipairs(KEYS) do
    local total, replaces = counted(key)
    if replaces then
        break
    end
    if total >= tonumber(ARGV[3 + i]) then
        return i
    end
end
for _, key in ipairs(KEYS) do
    redis.call('ZADD', key, now + lease, member)
    redis.call('PEXPIRE', key, lease)
end
return 0
"""

_RENEW = """
local time = redis.call('TIME')
local lapses = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1]
for i, key in ipairs(KEYS) do
    redis.call('ZADD', key, lapses, ARGV[1 + i])
    redis.call('PEXPIRE', key, ARGV[1])
end
"""

_LEAVE = """
for i, key in ipairs(KEYS) do
    redis.call('ZREM', key, ARGV[i])
end
"""


@dataclass(frozen=True)
class Lease:
    """The place of one turn: `member` in each of the sets `keys`."""

    member: str
    keys: tuple[str, ...]


class Leases:
    """The leases of the turns of this process. What asks Redis raises what its client raises."""

    def __init__(self, client: Redis, prefix: str, settings: Settings) -> None:
        limits = settings.turns.limits
        given: dict[Scope, int | None] = {
            "user": limits.user,
            "tenant": limits.tenant,
            "server": limits.server,
        }
        self.limits = {scope: given[scope] or 0 for scope in SCOPES if given[scope] is not None}
        self.held: set[Lease] = set()
        self._prefix = prefix
        self._interrupts = settings.turns.when_busy == "interrupt"
        self._take = client.register_script(_TAKE)
        self._renew = client.register_script(_RENEW)
        self._leave = client.register_script(_LEAVE)
        self._process = uuid4().hex
        self._numbers = count()

    def new(self, user: Who, thread_id: str, *, beside: bool) -> Lease:
        """Return a lease that nobody holds yet. One turn interrupts another in the same thread."""
        thread = thread_id if self._interrupts and not beside else ""
        return Lease(
            f"{thread}|{self._process}.{next(self._numbers)}",
            tuple(f"{self._prefix}:turns:{scope}:{user[scope]}" for scope in self.limits),
        )

    async def take(self, lease: Lease) -> None:
        """Hold a lease. Raises `ServerError` if the user, the tenant or the server has no more."""
        lasts, interrupts = int(LEASE * 1000), int(self._interrupts)
        arguments: list[str | int] = [lease.member, lasts, interrupts, *self.limits.values()]
        refused = await self._take(list(lease.keys), arguments)
        if refused:
            scope, limit = list(self.limits.items())[refused - 1]
            raise no_place(scope, limit)
        self.held.add(lease)

    def keep(self, lease: Lease) -> None:
        """Hold a lease that Redis learns of with the next renewal."""
        self.held.add(lease)

    async def leave(self, *leases: Lease) -> None:
        """Give leases back."""
        self.held.difference_update(leases)
        await self._leave(*_places(leases))

    async def renew(self) -> None:
        """Renew the leases that are held."""
        for some in _groups(list(self.held)):
            keys, members = _places(some)
            await self._renew(keys, [int(LEASE * 1000), *members])
            # What was left meanwhile must not come back
            if left := [lease for lease in some if lease not in self.held]:
                await self.leave(*left)


def _places(leases: Sequence[Lease]) -> tuple[list[str], list[str]]:
    """Return the sets that leases are in, and in the same order the members of these."""
    keys = [key for lease in leases for key in lease.keys]
    return keys, [lease.member for lease in leases for _ in lease.keys]


def _groups(leases: Sequence[Lease]) -> Iterator[Sequence[Lease]]:
    for start in range(0, len(leases), _PER_CALL):
        yield leases[start : start + _PER_CALL]
