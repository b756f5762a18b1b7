"""Which turns plugins let in by their hook `admit`, and what they hold for those until the end."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import TYPE_CHECKING

from ..plugin.call import LOGGED_ALREADY, HookCall
from ..plugin.calls import Hooks
from ..tasks import run_to_completion

if TYPE_CHECKING:
    from .job import TurnPlan


class Hold:
    """What one plugin holds: a generator that waits at its `yield`, if it has come to one."""

    def __init__(self, call: HookCall, generator: AsyncGenerator[None]) -> None:
        self._call = call
        self._generator = generator
        self._waits = False

    async def begin(self) -> None:
        """Run up to the `yield`. Raises why the plugin refuses the turn."""
        await replace(self._call, call=self._enter).answer()

    async def end(self, refusal: BaseException | None) -> None:
        """Run the rest, with the refusal raised at the `yield` if there is one; log errors."""
        if not self._waits:
            return
        try:
            await replace(self._call, call=lambda: self._leave(refusal)).answer()
        except LOGGED_ALREADY:
            return
        except Exception as error:
            self._call.log_error(error)

    async def _enter(self) -> None:
        async for _ in self._generator:
            self._waits = True
            return

    async def _leave(self, refusal: BaseException | None) -> None:
        try:
            if refusal is None:
                await anext(self._generator)
            else:
                await self._generator.athrow(refusal)
        except StopAsyncIteration:
            return
        except BaseException as error:
            if error is refusal:
                return
            raise
        await self._generator.aclose()
        raise RuntimeError("`admit` has more than one `yield`")


class Admission:
    """What all plugins hold for one turn."""

    def __init__(self) -> None:
        self._holds: list[Hold] = []

    async def ask(self, hooks: Hooks, plan: TurnPlan) -> None:
        """Ask all plugins in order. Raises why one refuses the turn, and tells those before it."""
        try:
            for call in hooks.hook_calls(
                "admit",
                user=plan.user,
                operation=plan.operation,
                thread_id=plan.thread.id,
                beside=plan.beside,
                context=plan.context,
            ):
                generator = await call.answer()
                if generator is not None:
                    hold = Hold(call, generator)
                    await hold.begin()
                    self._holds.append(hold)
        except BaseException as error:
            await self.end(error)
            raise

    async def end(self, refusal: BaseException | None = None) -> None:
        """Let the plugins go on, the last one first: the turn has ended, or it was refused.

        It is done to its end, even if cancelled meanwhile.
        """
        holds, self._holds = self._holds, []
        if holds:
            await run_to_completion(_end(holds, refusal))


async def _end(holds: list[Hold], refusal: BaseException | None) -> None:
    for hold in reversed(holds):
        await hold.end(refusal)
