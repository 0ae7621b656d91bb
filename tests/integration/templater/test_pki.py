"""pkiCert: certificates that a server of Vault's shape makes, real ones, kept in real files."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from templater.certificates import found_in
from tests.support.authority import Authority
from tests.support.consul_template import ConsulTemplate
from tests.support.pinnace import until
from tests.support.ports import free_port
from tests.support.vault_shape import VaultShape, vault_shape

BODY = "{{ .Cert }}{{ .CA }}{{ .Key }}"


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[VaultShape]:
    with vault_shape() as vault:
        vault.token = "hvs-secret"
        vault.authority = Authority(tmp_path / "authority")
        yield vault


@pytest.fixture
def program(tmp_path: Path) -> Iterator[ConsulTemplate]:
    with ConsulTemplate(tmp_path, f"http://127.0.0.1:{free_port()}") as program:
        yield program


def _configured(program: ConsulTemplate, vault: VaultShape, *words: str, body: str = BODY) -> Path:
    """Write a template with a certificate; return its destination."""
    asked = " ".join(json.dumps(word) for word in ("pki/issue/web", *words))
    ran = program.folder / "ran"
    text = f"{{{{ with pkiCert {asked} }}}}{body}{{{{ end }}}}"
    block = program.block("web.pem", text, f'command = "echo x >> {ran}"')
    program.config(f'vault {{\n address = "{vault.url}"\n token = "{vault.token}"\n}}\n{block}')
    return program.folder / "out" / "web.pem"


def _made(vault: VaultShape) -> int:
    assert vault.authority is not None
    return vault.authority.count


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_certificate_key_and_authority_fit_and_a_second_run_takes_them_again(
    program: ConsulTemplate, vault: VaultShape, tmp_path: Path
) -> None:
    dest = _configured(program, vault, "common_name=web.test", "ttl = 3600s")
    config = str(tmp_path / "config.hcl")
    done = program.run("-once", "-config", config)
    assert done.returncode == 0, done.stderr
    first = dest.read_text()
    assert re.findall(r"BEGIN ([A-Z ]+)-", first) == ["CERTIFICATE", "CERTIFICATE", "PRIVATE KEY"]
    found = found_in(dest.parent, {})
    assert (len(found.certificates), found.problems) == (1, ())  # OpenSSL takes chain and key
    assert program.run("-once", "-config", config).returncode == 0
    assert (dest.read_text(), _made(vault), _text(tmp_path / "ran")) == (first, 1, "x\n")
    subprocess.run(["openssl", "x509", "-in", str(dest), "-checkend", "3000"], check=True)

    _configured(program, vault, "common_name=other.test")
    assert program.run("-once", "-config", config).returncode == 0
    assert (dest.read_text() != first, _made(vault)) == (True, 2)  # another name was asked for


def test_certificate_is_renewed_before_it_ends_and_stays_while_vault_is_away(
    program: ConsulTemplate, vault: VaultShape, tmp_path: Path
) -> None:
    dest = _configured(program, vault, "common_name=web.test", "ttl=4s")
    program.start("-config", str(tmp_path / "config.hcl"))
    until(lambda: "PRIVATE KEY" in _text(dest))
    first = _text(dest)
    until(lambda: _text(dest) != first)
    vault.is_away = True
    until(lambda: program.count("data cannot be read") > 0)
    stays = _text(dest)
    assert stays.count("BEGIN CERTIFICATE") == 2
    assert vault.token not in program.log()
    vault.is_away = False
    until(lambda: _text(dest) != stays)
    until(lambda: program.count("data is read again") > 0)
    assert program.stop() == 0


def test_refusal_of_a_role_is_told_and_writes_nothing(
    program: ConsulTemplate, vault: VaultShape, tmp_path: Path
) -> None:
    dest = _configured(program, vault, "ttl=60s")
    program.start("-config", str(tmp_path / "config.hcl"))
    until(lambda: program.count("the common_name field is required") > 0)
    assert program.count(f"vault.pki(pki/issue/web->{dest})") > 0
    assert not dest.exists()
    _configured(program, vault, "ttl=60s", "common_name=web.test")
    until(lambda: "PRIVATE KEY" in _text(dest))
    assert program.stop() == 0
