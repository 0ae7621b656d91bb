import subprocess
import sys


def test_what_only_few_need_is_not_loaded() -> None:
    # 32 MB with 500 connections is all that it may take.
    code = (
        "import sys\n"
        "before = {*sys.modules}\n"  # what measures coverage loads some itself
        "import ambassador.redis.cli, ambassador.redis.program\n"
        "rare = {'yaml', 'aiohttp', 'hashlib', 'difflib', 'sidecar.web'}\n"
        "print(*sorted(rare & sys.modules.keys() - before))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
