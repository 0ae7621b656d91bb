"""From a template file and what is known to the bytes of a file. Blocks: call it in a thread."""

from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from sidecar.config.model import TemplateSettings
from sidecar.errors import RenderError
from sidecar.runtime.clock import Clock
from templater.own.world import Keys, Reads, View, World

__all__ = ["Renderer", "State"]

_LARGEST: Final = 1 << 20


class State(NamedTuple):
    """What a rendering starts from."""

    world: World
    keys: Keys


Run = Callable[[View], str]


class Renderer:
    """Renders one template; it is compiled again when its text changed."""

    def __init__(self, settings: TemplateSettings, clock: Clock) -> None:
        """Render ``settings.source``."""
        self.source = Path(settings.source)
        self.reads = Reads()
        """What the last rendering looked at."""
        self._settings = settings
        self._clock = clock
        self._text: str | None = None
        self._run: Run | None = None

    def compile(self) -> Run:
        """Return what renders the text that the file has now. Raises RenderError."""
        text = self._read()
        if self._run is None or text != self._text:
            make = _go if self._settings.language == "go" else _jinja
            self._run = make(self.source.name, text, self._clock)
            self._text = text
        return self._run

    def concerned(self, _keys: frozenset[str]) -> bool:
        """Say yes: who wakes us has looked at ``reads`` already."""
        return True

    @property
    def sources(self) -> tuple[Path, ...]:
        """Return the files that the content is made of."""
        return (self.source,)

    def render(self, state: State) -> bytes:
        """Return the content of the file. Raises RenderError."""
        run = self.compile()
        reads = Reads()
        try:
            text = run(View(state.world, state.keys, reads))
        finally:
            self.reads = reads
        least = self._settings.min_instances
        if least and (found := state.world.count(reads.services)) < least:
            raise RenderError(
                f"{self._settings.destination}: {found} instances,"
                f" fewer than min_instances {least}; the file stays"
            )
        try:
            return text.encode()
        except UnicodeEncodeError as error:
            raise RenderError(f"{self.source}: writes what is no character: {error}") from error

    def _read(self) -> str:
        try:
            with self.source.open("rb") as file:
                data = file.read(_LARGEST + 1)
            if len(data) > _LARGEST:
                raise RenderError(f"{self.source}: is larger than 1 MiB")
            return data.decode("utf-8")
        except OSError as error:
            raise RenderError(f"{self.source}: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise RenderError(f"{self.source}: is not UTF-8 text") from error


def _jinja(name: str, text: str, clock: Clock) -> Run:
    # Jinja2 costs memory: only for those who use it.
    from templater.jinja.engine import compile_template  # noqa: PLC0415
    from templater.own.world import RECORDS  # noqa: PLC0415

    template = compile_template(name, text, records=RECORDS)
    return lambda view: template.render(view.names(), clock.monotonic)


def _go(name: str, text: str, clock: Clock) -> Run:
    from templater.own.golang import compile_template  # noqa: PLC0415

    return compile_template(name, text, clock.monotonic)
