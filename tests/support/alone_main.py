"""The process of ``tests.support.alone``: a registrar whose options are one JSON object."""

import json
import sys

from registrar.daemon import main
from registrar.options import Options
from sidecar.config.model import DockerSettings, LogSettings, RegistrarSettings
from sidecar.runtime.log import configure


def _options(given: dict[str, object]) -> Options:
    settings = given["settings"]
    assert isinstance(settings, dict)
    stores = given["stores"]
    assert isinstance(stores, list)
    return Options(
        stores=tuple(stores),
        settings=RegistrarSettings(**settings),
        docker=DockerSettings(url=str(given["docker"])),
        log=LogSettings(format="json", level="debug"),
        http=str(given["http"]),
        preview=given["preview"],  # type: ignore[arg-type]
        style="ours",
    )


if __name__ == "__main__":
    configure("json", "debug")
    sys.exit(main(_options(json.loads(sys.argv[1]))))
