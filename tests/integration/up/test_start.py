"""What the start of ``pinnace up`` costs."""

import re
from pathlib import Path

from tests.support.pinnace import Pinnace, until

ELSEWHERE = (
    r"sidecar\.stores\.(opening|consul|etcd|zookeeper|json_client)|kazoo|registrar\.(cli|alone)"
)


def test_nothing_of_other_stores_is_imported_for_the_embedded_one(tmp_path: Path) -> None:
    env = {"PYTHONPROFILEIMPORTTIME": "1"}
    with Pinnace(f"unix://{tmp_path}/none", wait=False, lb=False, env=env) as pinnace:
        until(lambda: pinnace.get("/readyz")[0] != 0)
        imported = re.findall(r"^import time:.*\| +(\S+)$", pinnace.log_text(), re.MULTILINE)
    assert "sidecar.stores.embedded" in imported
    assert [name for name in imported if re.match(ELSEWHERE, name)] == []
