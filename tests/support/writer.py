"""A process that writes keys until it is killed, and says what was acknowledged.

One line per acknowledged write: name, counter, index. The reader checks them after the kill.
"""

import asyncio
import sys

from sidecar.stores.embedded import EmbeddedStore

_PADDING = b" " * 60_000  # a longer write is more often hit


def counted(value: bytes) -> int:
    """Return the counter in a value."""
    return int(value)


async def _write(store: EmbeddedStore, name: str, start: int) -> None:
    count = start
    while True:
        count += 1
        await store.kv.put(name, str(count).encode() + _PADDING)
        index = store.kv.kv.index_of(name)
        sys.stdout.write(f"{name} {count} {index} {store.kv.kv.index}\n")
        sys.stdout.flush()
        if count % 7 == 0:
            await store.kv.put(f"{name}/child", b"x")
            await store.kv.delete(f"{name}/child")
            below = store.kv.kv.index_below(f"{name}/")
            sys.stdout.write(f"{name}/ 0 {below} {store.kv.kv.index}\n")
            sys.stdout.flush()


async def main(directory: str) -> None:
    """Go on from what the directory holds, four writers at once."""
    store = await EmbeddedStore.open(directory)
    async with asyncio.TaskGroup() as group:
        for name in ("a", "b", "c", "d"):
            entry = await store.kv.get(name)
            group.create_task(_write(store, name, counted(entry.value) if entry else 0))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
