from pathlib import Path

import registrar.component
from sidecar.catalog.ownership import RESERVED

README = Path(registrar.component.__file__).parent / "README.md"


def test_reserved_names_are_in_it() -> None:
    assert all(f"`{name}`" in README.read_text() for name in RESERVED)
