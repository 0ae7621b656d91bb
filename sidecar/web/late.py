"""Routes that are loaded when they are first asked for.

The API's modules take a fifth of the start-up time and no part of the start needs them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import NoReturn

from aiohttp import web

__all__ = ["LateRoutes", "Load"]

Load = Callable[[], Awaitable[Iterable[web.RouteDef]]]


class LateRoutes(web.AbstractResource):
    """Everything below one path, resolved by a router of its own once that is loaded."""

    def __init__(self, path: str, load: Load) -> None:
        """Answer for ``path`` and what is below it; ``load`` is awaited once."""
        super().__init__()
        self._path = path
        self._load = load
        self._router: web.UrlDispatcher | None = None
        self._loading = asyncio.Lock()

    @property
    def canonical(self) -> str:
        """The path everything is below."""
        return self._path

    async def resolve(
        self, request: web.Request
    ) -> tuple[web.UrlMappingMatchInfo | None, set[str]]:
        """Return the match, or the methods that the path has."""
        match = await (await self._loaded()).resolve(request)
        wrong = match.http_exception
        if wrong is None:
            return match, set()
        return None, wrong.allowed_methods if isinstance(wrong, web.HTTPMethodNotAllowed) else set()

    async def _loaded(self) -> web.UrlDispatcher:
        if self._router is None:
            async with self._loading:
                if self._router is None:
                    router = web.UrlDispatcher()
                    router.add_routes(await self._load())
                    self._router = router
        return self._router

    def raw_match(self, path: str) -> bool:
        """Say whether this is our own path (routes may not be added twice)."""
        return path == self._path

    def url_for(self, **_kwargs: str) -> NoReturn:
        """Refuse: nothing links to routes that may not be there yet."""
        raise RuntimeError("late routes have no address of their own")

    def add_prefix(self, _prefix: str) -> None:
        """Refuse: it belongs to the top level."""
        raise RuntimeError("late routes cannot be moved")

    def get_info(self) -> dict[str, str]:  # type: ignore[override]  # a typed dict of private name
        """Describe the resource."""
        return {"path": self._path}

    def __len__(self) -> int:
        """Return 0: its routes are not the application's."""
        return 0

    def __iter__(self) -> Iterator[web.AbstractRoute]:
        """Yield nothing, see ``__len__``."""
        return iter(())
