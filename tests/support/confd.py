"""The drop-in as a real process, called by the name ``confd``, in a folder of its own."""

import json
import subprocess
from pathlib import Path

from tests.support.program import Program

__all__ = ["Confd"]


class Confd(Program):
    """A folder with resources, templates and a values file, and the program on it."""

    def __init__(self, folder: Path, *, program: Path | None = None) -> None:
        """Prepare folders; ``program`` is another confd to compare with."""
        for name in ("conf.d", "templates", "out"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        super().__init__(folder, "confd", program=program)
        self.out = folder / "out"
        self.values = folder / "values.json"
        self.backend: tuple[str, ...] = ("-backend", "file", "-file", str(self.values))
        self.put({})

    def put(self, values: object) -> None:
        """Replace the values of the file backend, whole."""
        fresh = self.values.with_suffix(".new")
        fresh.write_text(json.dumps(values))
        fresh.replace(self.values)

    def template(self, name: str, text: str) -> None:
        """Write a template."""
        (self.folder / "templates" / name).write_text(text)

    def resource(self, name: str, text: str, keys: str = '["/"]', **more: str | int) -> Path:
        """Write a template and its resource; return the destination."""
        self.template(f"{name}.tmpl", text)
        dest = Path(str(more.pop("dest", self.out / name)))
        lines = [f'src = "{name}.tmpl"', f'dest = "{dest}"', f"keys = {keys}"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in more.items()]
        (self.folder / "conf.d" / f"{name}.toml").write_text(
            "\n".join(["[template]", *lines]) + "\n"
        )
        return dest

    def words(self, *arguments: str) -> list[str]:
        """Return the whole command line."""
        missing = ("-config-file", str(self.folder / "confd.toml"))
        folder = ("-confdir", str(self.folder))
        return [str(self.program), *self.backend, *folder, *missing, *arguments]

    def once(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one pass."""
        return self.run("-onetime", *arguments)
