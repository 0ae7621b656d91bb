"""Record what the original shows: ``python -m tests.compat.statsd_exporter.record PROGRAM``."""

import json
import sys
from pathlib import Path

from tests.compat.statsd_exporter.comparing import observed
from tests.compat.statsd_exporter.scenarios import SCENARIOS

RECORDED = Path(__file__).with_name("recorded.json")


def main() -> None:
    """Run every scenario against the program."""
    found = {name: observed(scenario, sys.argv[1:2]) for name, scenario in SCENARIOS.items()}
    lines = json.dumps(found, indent=0, sort_keys=True, ensure_ascii=True)
    RECORDED.write_text(lines + "\n")


if __name__ == "__main__":
    main()
