"""Which files are certificates, and what is wrong with others."""

import subprocess
from pathlib import Path

import pytest

from sidecar.config.model import LbSettings, Settings
from sidecar.runtime.clock import SystemClock
from templater.certificates import found_in, signature_of
from templater.extras import Extras
from templater.names import CertName
from templater.own.cli import mistakes
from templater.routes import Routes
from tests.support.certificates import make, pair


def reasons(folder: Path) -> dict[str, str]:
    """Return what is wrong, by the name of the file."""
    found = {}
    for problem in found_in(folder, {}).problems:
        path, _, words = problem.reason.partition(": ")
        found[str(Path(path).relative_to(folder))] = words
    return found


def test_three_ways_to_lay_certificates_down(tmp_path: Path) -> None:
    make(tmp_path, "example.org")
    chain, key = pair(tmp_path, "other")
    (tmp_path / "both.example.net.pem").write_text(
        "Bag Attributes\n\n" + key.read_text() + "\r\n# \u00e9\n" + chain.read_text()
    )
    live = tmp_path / "live.example.com"
    live.mkdir()
    chain.rename(live / "fullchain.pem")
    key.rename(live / "privkey.pem")
    for name in ("example.org.chain.pem", "example.org.dhparam.pem", "README", ".hidden.pem"):
        (tmp_path / name).write_text("nothing of ours")
    found = found_in(tmp_path, {})
    assert found.problems == ()
    assert set(found.certificates) == {"example.org", "both.example.net", "live.example.com"}
    for one in found.certificates.values():
        assert one.pem.isascii()
        assert "\n\n" not in one.pem
        assert one.pem.startswith("-----BEGIN CERTIFICATE-----\n")
        assert one.pem.endswith(" PRIVATE KEY-----\n")
        assert "PRIVATE KEY" not in repr(one)


def test_what_is_broken_is_told_by_file_and_the_last_one_stays(tmp_path: Path) -> None:
    make(tmp_path, "a.org")
    make(tmp_path, "b.org")
    before = found_in(tmp_path, {}).certificates
    old = signature_of(tmp_path)
    (tmp_path / "a.org.key").write_bytes((tmp_path / "b.org.key").read_bytes())
    (tmp_path / "b.org.key").unlink()
    (tmp_path / "c.org.pem").write_text("nothing")
    (tmp_path / "-.pem").write_text("nothing")
    (tmp_path / "d.org.pem").write_bytes((tmp_path / "a.org.crt").read_bytes())
    assert signature_of(tmp_path) != old
    found = found_in(tmp_path, before)
    assert found.certificates == before
    assert reasons(tmp_path) == {
        "a.org.crt": "key values mismatch",
        "b.org.key": "No such file or directory",
        "c.org.pem": "this is no certificate",
        "-.pem": "'-' cannot be the name of a certificate",
        "d.org.pem": "a chain and one key are needed",
    }
    assert all(
        problem.reason.endswith("; the last one stays") == ("/a.org" in problem.reason
                                                            or "/b.org" in problem.reason)
        for problem in found.problems
    )  # fmt: skip


def test_a_key_with_a_password_is_refused_without_asking(tmp_path: Path) -> None:
    _, key = pair(tmp_path, "a.org")
    subprocess.run(
        ["openssl", "pkcs8", "-topk8", "-in", str(key), "-out", str(key) + "2",
         "-passout", "pass:secret"],
        check=True, capture_output=True,
    )  # fmt: skip
    Path(str(key) + "2").rename(key)
    assert reasons(tmp_path) == {"a.org.crt": "the key has a password"}


def test_a_lost_directory_loses_no_certificate(tmp_path: Path) -> None:
    make(tmp_path, "a.org")
    before = found_in(tmp_path, {}).certificates
    lost = tmp_path / "lost"
    found = found_in(lost, before)
    assert found.certificates == before
    assert "No such file or directory; the last ones stay" in found.problems[0].reason
    assert isinstance(signature_of(lost), int)


def _reason_of(extras: Extras) -> str:
    (problem,) = extras.problems
    return problem.reason


async def test_files_are_read_again_only_when_they_changed(tmp_path: Path) -> None:
    make(tmp_path, "a.org")
    extras = Extras(
        LbSettings(tls_listen="localhost:8443", certificates=str(tmp_path)), SystemClock()
    )
    assert await extras.read()
    assert not await extras.read()
    tls = extras.applied(Routes()).tls
    assert tls is not None
    assert (tls.listen, set(tls.certificates)) == ("127.0.0.1:8443", {CertName("a.org")})
    make(tmp_path, "a.org")
    assert await extras.read()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"{% for %}", "own.j2:1: "),
        (b"\xff", "'utf-8' codec can't decode"),
        (None, "own.j2: No such file or directory"),
    ],
)
async def test_a_broken_template_is_told_and_the_shipped_one_used(
    tmp_path: Path, text: bytes | None, words: str
) -> None:
    path = tmp_path / "own.j2"
    if text is not None:
        path.write_bytes(text)
    extras = Extras(LbSettings(template=str(path)), SystemClock())
    await extras.read()
    (problem,) = extras.problems
    assert words in problem.reason
    assert problem.reason.endswith("; the shipped one is used")
    assert extras.applied(Routes()) == Routes()
    path.write_text("{{ shipped }}")
    assert await extras.read()
    assert extras.problems == ()
    path.unlink()
    assert await extras.read()
    assert _reason_of(extras).endswith("; the last one stays")
    assert extras.applied(Routes()).override is not None
    path.write_text("{{ shipped }}")
    assert await extras.read()
    assert extras.problems == ()


def test_validate_tells_what_is_wrong_with_the_files(tmp_path: Path) -> None:
    (tmp_path / "own.j2").write_text("{% for %}")
    chain, _ = pair(tmp_path, "a.org")
    lb = LbSettings(
        tls_listen=":8443", certificates=str(tmp_path), template=str(tmp_path / "own.j2")
    )
    chain.write_text("nothing")
    found = mistakes(Settings(lb=lb))
    assert found[0] == f"lb.certificates: {chain}: this is no certificate"
    assert found[1].startswith("lb.template: own.j2:1: ")
    assert mistakes(Settings()) == []
