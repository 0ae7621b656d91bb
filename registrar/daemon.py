"""The registrar as a process of its own: what loads the rest."""

from registrar.options import Options
from sidecar.runtime.tls import without_authorities

__all__ = ["main"]


def main(options: Options) -> int:
    """Run until a signal, logging as was configured; return the exit status."""
    with without_authorities():
        from registrar.alone import run  # noqa: PLC0415 - the import is what is to be bounded
    return run(options)
