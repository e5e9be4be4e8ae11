"""Long bodies are judged one at a time, and the event loop comes round in between."""

from __future__ import annotations

import asyncio

from sitevault.collector.limits import Turns


def test_no_two_turns_come_in_the_same_round_of_the_event_loop():
    rounds = 0

    async def count_rounds() -> None:
        nonlocal rounds
        while True:
            await asyncio.sleep(0)
            rounds += 1

    async def take(turns: Turns) -> int:
        await turns.wait()
        return rounds

    async def run() -> list[int]:
        turns = Turns()
        counting = asyncio.create_task(count_rounds())
        taken = await asyncio.gather(*(take(turns) for _ in range(5)))
        counting.cancel()
        return taken

    taken = asyncio.run(run())
    assert len(set(taken)) == 5
    assert taken == sorted(taken)


def test_who_gives_up_does_not_hold_up_those_behind():
    async def run() -> None:
        turns = Turns()
        first, second, third = (asyncio.create_task(turns.wait()) for _ in range(3))
        await asyncio.sleep(0)
        first.cancel()
        second.cancel()
        await asyncio.wait_for(third, 1)

    asyncio.run(run())
