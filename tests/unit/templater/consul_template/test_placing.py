"""Files: written whole when they differ, kept when not, with their owner, mode and backup."""

import os
from pathlib import Path

import pytest

from sidecar.errors import PermanentError, RenderError, TransientError
from templater.consul_template.placing import Placer
from templater.consul_template.settings import ExecSettings, TemplateSettings

COMMAND = ExecSettings(command=("true",))


def _placer(path: Path, **more: object) -> Placer:
    return Placer(TemplateSettings(source="s", destination=str(path), **more))  # type: ignore[arg-type]


def test_a_file_is_written_once_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    placer = _placer(path)
    assert placer.place("x\udcff")
    assert path.read_bytes() == b"x\xff"
    path.chmod(0o640)
    before = path.stat().st_ino
    assert not placer.place("x\udcff")
    assert path.stat().st_ino == before
    assert placer.place("other")
    assert path.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in path.parent.iterdir()] == ["b"]


def test_a_mode_that_is_asked_for_is_set_on_a_file_that_has_another(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("x")
    path.chmod(0o644)
    assert _placer(path, perms=0o600).place("x")
    assert path.stat().st_mode & 0o777 == 0o600
    assert not _placer(path, perms=0o600).place("x")


def test_the_owner_is_kept_or_as_asked(tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("only root may give files away")
    path = tmp_path / "a"
    path.write_text("x")
    os.chown(path, 12, 34)
    assert _placer(path).place("y")
    assert (path.stat().st_uid, path.stat().st_gid) == (12, 34)
    assert _placer(path, user="root", group="56").place("y")
    assert (path.stat().st_uid, path.stat().st_gid) == (0, 56)
    with pytest.raises(RenderError, match="nobody-here"):
        _placer(path, user="nobody-here").place("y")


def test_the_file_before_is_kept_beside_it_when_that_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "a"
    placer = _placer(path, backup=True)
    for text in ("1", "2", "3"):
        assert placer.place(text)
    assert (tmp_path / "a.bak").read_text() == "2"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a", "a.bak"]


def test_a_missing_folder_is_made_unless_that_is_not_wanted(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    with pytest.raises(TransientError, match="parent directory is missing"):
        _placer(path, create_dest_dirs=False).place("x")
    (tmp_path / "a").touch()
    with pytest.raises(TransientError):
        _placer(tmp_path / "a" / "b" / "c").place("x")


def test_a_destination_that_is_no_file_is_refused_and_stays(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="is not a regular file"):
        _placer(tmp_path).place("x")
    assert tmp_path.is_dir()


def test_a_command_is_owed_from_the_placing_until_it_is_settled(tmp_path: Path) -> None:
    path = tmp_path / "a"
    placer = _placer(path, run=COMMAND)
    assert not placer.prepare()
    placer.place("x")
    assert _placer(path, run=COMMAND).prepare()
    placer.settle()
    assert not placer.prepare()
    placer.place("y")
    assert not _placer(path).prepare()  # its command was taken out of the configuration
    assert not _placer(path, run=COMMAND).prepare()


def test_dry_shows_and_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "d" / "a"
    shown: list[str] = []
    template = TemplateSettings(source="s", destination=str(path), run=COMMAND)
    placer = Placer(template, is_dry=True, show=shown.append)
    assert not placer.prepare()
    assert placer.place("x")
    assert shown == [f"> {path}\nx"]
    assert not path.parent.exists()


def test_a_text_that_is_too_short_leaves_the_file(tmp_path: Path) -> None:
    dest = tmp_path / "out"
    dest.write_text("servers: 1 2 3")
    placer = Placer(TemplateSettings(contents="x", destination=str(dest), min_size=12))
    with pytest.raises(RenderError, match="9 bytes, fewer than min_size 12; the file stays"):
        placer.place("servers: ")
    assert dest.read_text() == "servers: 1 2 3"
    assert placer.place("servers: 1 2")
