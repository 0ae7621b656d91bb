"""``pinnace run`` as a process, with jobs that write down what they do."""

import signal
from pathlib import Path

from tests.support.program import Program

__all__ = ["Jobs"]


class Jobs(Program):
    """One running ``pinnace run``; jobs append to ``story``."""

    ends_by = signal.SIGTERM  # jobs would outlive SIGKILL

    def __init__(self, folder: Path, text: str, *, name: str = "jobs.toml") -> None:
        """Write the file; ``@`` in it becomes the folder."""
        super().__init__(folder, "run")
        self.file = folder / name
        self.file.write_text(text.replace("@", str(folder)))

    def words(self, *arguments: str) -> list[str]:
        """Return the whole command line."""
        return [str(self.program), str(self.file), *arguments]

    @property
    def story(self) -> list[str]:
        """What jobs wrote."""
        path = self.folder / "story"
        return path.read_text().split() if path.exists() else []

    def events(self) -> list[tuple[str, str]]:
        """Return name and job of each event of the log."""
        lines = [line for line in self.log().splitlines() if " run: event " in line]
        pairs = [
            dict(word.split("=", 1) for word in line.split(": event ")[1].split()) for line in lines
        ]
        return [(pair["name"], pair["job"].strip('"')) for pair in pairs]
