import subprocess
import sys

import pytest


@pytest.mark.parametrize("program", ["dnsd.cli", "ambassador.redis.cli", "ambassador.tcp.cli"])
def test_options_are_declared_without_the_modules_that_measure_a_terminal(program: str) -> None:
    name = "parser_of" if program == "dnsd.cli" else "parser"
    code = f"import sys; from {program} import {name}; {name}('x'); print('shutil' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"
