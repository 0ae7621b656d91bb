import importlib
import sys

import pytest

from sidecar.runtime.hiding import without


def test_what_is_hidden_cannot_be_imported_and_can_be_afterwards() -> None:
    sys.modules.pop("colorsys", None)
    with without("colorsys"), pytest.raises(ImportError):
        importlib.import_module("colorsys")
    assert importlib.import_module("colorsys").rgb_to_hls


def test_what_is_loaded_stays() -> None:
    before = sys.modules["json"] = importlib.import_module("json")
    with without("json"):
        assert importlib.import_module("json") is before
    assert sys.modules["json"] is before
