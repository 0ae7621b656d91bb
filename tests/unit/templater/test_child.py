import asyncio
import os
import signal

from templater.child import let_go


async def test_a_killed_child_is_let_go_of_when_all_that_hold_its_pipe_are_silent() -> None:
    script = "sleep 0.3 & echo $! >&2; exec sleep 60"
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", script, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    await process.stderr.readline()
    process.kill()
    while process.returncode is None:
        await asyncio.sleep(0.005)
    await let_go(process)
    assert process.stderr.at_eof()


async def test_who_holds_the_pipe_for_ever_is_not_waited_for() -> None:
    script = "sleep 60 & echo $! >&2; exec sleep 60"
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", script, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    held = int(await process.stderr.readline())
    process.kill()
    while process.returncode is None:
        await asyncio.sleep(0.005)
    async with asyncio.timeout(10):
        await let_go(process)
    assert not process.stderr.at_eof()
    os.kill(held, signal.SIGKILL)
    await let_go(process)
    assert process.stderr.at_eof()
