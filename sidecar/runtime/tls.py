"""Keep an import from reading the machine's certificate authorities.

aiohttp makes two default TLS contexts when it is imported. Loading some 140 authorities for them
takes a tenth of our start-up time and 1.5 MB, and most processes here never speak TLS. Whoever
does makes a context of its own (``ssl.create_default_context``), which reads the authorities
then; aiohttp's defaults know none, so a forgotten context fails closed.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["without_authorities"]

_VARIABLES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")  # read by OpenSSL itself
_NOWHERE: Final = "/nonexistent"


@contextmanager
def without_authorities() -> Iterator[None]:
    """Hide the authorities from what the block imports; the environment comes back after it."""
    before = {name: os.environ.get(name) for name in _VARIABLES}
    os.environ.update(dict.fromkeys(_VARIABLES, _NOWHERE))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
