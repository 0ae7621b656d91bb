"""git-sync on the real git: what is published, when, and what becomes of the old."""

import json
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.pinnace import until
from tests.support.repository import GitSyncProgram, Repository


def test_a_push_is_published_and_the_old_files_go(repo: Repository, sync: GitSyncProgram) -> None:
    sync.start("--touch-file=touched")
    until(lambda: sync.text() == "one")
    first = sync.live.resolve()
    commit = repo.commit(file="two")
    until(lambda: sync.text() == "two")
    assert sync.commit == commit
    until(lambda: not first.exists())
    assert (sync.root / "touched").exists()
    assert sync.stop() == 0


@pytest.mark.parametrize("kind", ["branch", "tag", "annotated", "hash"])
def test_a_ref_is_a_branch_a_tag_or_a_hash(
    repo: Repository, sync: GitSyncProgram, kind: str
) -> None:
    repo.git("branch", "old")
    repo.git("tag", "v1")
    repo.git("tag", "-a", "-m", "release", "v2")
    ref = {"branch": "old", "tag": "v1", "annotated": "v2", "hash": repo.first}[kind]
    repo.commit(file="two")
    assert sync.once(f"--ref={ref}").returncode == 0
    assert (sync.text(), sync.commit) == ("one", repo.first)


def test_an_unknown_ref_fails_and_the_error_file_says_why_until_it_is_mended(
    sync: GitSyncProgram,
) -> None:
    done = sync.once("--ref=nothing", "--error-file=error")
    assert done.returncode == 1
    assert "nothing" in json.loads((sync.root / "error").read_text())["Err"]
    assert not sync.live.exists()
    assert sync.once("--error-file=error").returncode == 0
    assert not (sync.root / "error").exists()


@pytest.mark.parametrize("kind", ["HEAD^{tree}", "HEAD:file"])
def test_a_ref_that_leads_to_no_commit_leaves_what_is_published(
    repo: Repository, sync: GitSyncProgram, kind: str
) -> None:
    assert sync.once().returncode == 0
    repo.git("tag", "odd", kind)
    done = sync.once("--ref=odd")
    assert (done.returncode, "odd leads to no commit" in done.stderr) == (1, True)
    assert (sync.text(), sync.commit) == ("one", repo.first)


def test_a_commit_without_files_is_published_once(repo: Repository, sync: GitSyncProgram) -> None:
    repo.git("rm", "-q", "file")
    repo.git("commit", "-q", "-m", "nothing")
    sync.start("--exechook-command=sh -c 'echo told >> ../../told'", "-v=2")
    until(lambda: sync.log().count("nothing new") > 2)
    assert (sync.root / "told").read_text() == "told\n"
    assert "made anew" not in sync.log()
    assert not [*sync.live.glob("[!.]*")]


def test_what_a_failed_sync_had_made_does_not_fill_the_disk_for_those_after_it(
    tmp_path: Path, repo: Repository, sync: GitSyncProgram
) -> None:
    program = tmp_path / "full"
    program.write_text('#!/bin/sh\n[ "$1" = "$FAILS" ] && exit 1\nexec git "$@"\n')
    program.chmod(0o755)
    assert sync.once().returncode == 0
    commit = repo.commit(file="two")
    sync.env["FAILS"] = "reset"  # as when its files have no room
    assert sync.once(f"--git={program}").returncode == 1
    assert (sync.root / ".worktrees" / commit).exists()
    repo.git("reset", "-q", "--hard", "HEAD~1")
    sync.env["FAILS"] = "config"  # there is no room even for that
    assert sync.once(f"--git={program}").returncode == 1
    assert not (sync.root / ".worktrees" / commit).exists()
    assert (sync.text(), sync.commit) == ("one", repo.first)
    assert sync.once(f"--git={program}").returncode == 1


def test_the_history_is_as_deep_as_asked_also_when_that_changes(
    repo: Repository, sync: GitSyncProgram
) -> None:
    for number in range(4):
        repo.commit(file=str(number))
    for option, count in (("--depth=2", 2), ("--depth=1", 1), ("--depth=0", 5)):
        assert sync.once(option).returncode == 0
        words = ["git", "-C", str(sync.live), "rev-list", "--count", "HEAD"]
        assert int(subprocess.check_output(words)) == count


def test_only_wanted_paths_are_there(
    tmp_path: Path, repo: Repository, sync: GitSyncProgram
) -> None:
    repo.commit(file="one", other="x")
    (tmp_path / "sparse").write_text("/other\n")
    assert sync.once(f"--sparse-checkout-file={tmp_path / 'sparse'}").returncode == 0
    assert sync.text("other") == "x"
    assert not (sync.live / "file").exists()


def test_submodules_come_too_unless_told_otherwise(
    tmp_path: Path, repo: Repository, sync: GitSyncProgram
) -> None:
    part = Repository(tmp_path / "part", inner="inside")
    repo.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", part.url, "part")
    repo.commit()
    allowed = "--git-config=protocol.file.allow:always"
    assert sync.once(allowed, "--submodules=off").returncode == 0
    assert not (sync.live / "part/inner").exists()
    repo.commit()
    assert sync.once(allowed).returncode == 0
    assert sync.text("part/inner") == "inside"


def test_old_files_are_kept_for_a_while_also_over_a_restart(
    repo: Repository, sync: GitSyncProgram
) -> None:
    assert sync.once("--stale-worktree-timeout=1h").returncode == 0
    first = sync.live.resolve()
    repo.commit(file="two")
    for _ in range(2):
        assert sync.once("--stale-worktree-timeout=1h").returncode == 0
        assert (first / "file").read_text() == "one"
    assert sync.once().returncode == 0
    assert not first.exists()


def test_a_signal_starts_a_look(repo: Repository, sync: GitSyncProgram) -> None:
    sync.start("--period=1h", "--sync-on-signal=USR1")
    until(lambda: sync.text() == "one")
    for number, text in ((signal.SIGHUP, "two"), (signal.SIGUSR1, "three")):
        repo.commit(file=text)

        def is_there(number: int = number, text: str = text) -> bool:
            sync.send(number)
            return sync.text() == text

        until(is_there, pause=0.1)


@pytest.mark.parametrize("damage", ["files", "one file", "head", "repository", "git folder"])
def test_what_is_broken_is_made_anew(sync: GitSyncProgram, damage: str) -> None:
    assert sync.once().returncode == 0
    target = sync.live.resolve()
    match damage:
        case "files":
            shutil.rmtree(target)
        case "one file":
            (target / "file").unlink()
        case "head":
            (sync.root / ".git/worktrees" / target.name / "HEAD").write_text("0" * 40)
        case "repository":
            shutil.rmtree(sync.root / ".git/objects")
        case _:
            shutil.rmtree(sync.root / ".git")
    done = sync.once()
    assert done.returncode == 0, done.stderr
    assert sync.text() == "one"
    words = ["git", "-C", str(sync.live), "status", "--porcelain"]
    assert subprocess.check_output(words) == b""
    assert sync.live.resolve().name == target.name


def test_broken_files_are_readable_until_they_are_replaced(
    repo: Repository, sync: GitSyncProgram
) -> None:
    repo.commit(file="one", other="x")
    assert sync.once().returncode == 0
    (sync.live / "file").unlink()
    seen = sync.live.resolve()
    sync.start("--pre-publish-exechook-command=sleep 1")
    until(lambda: sync.text() == "one")
    assert sync.text("other") == "x"
    assert sync.live.resolve() != seen
    assert sync.live.resolve().name == seen.name


def test_a_second_one_for_the_same_folder_is_refused(sync: GitSyncProgram) -> None:
    sync.start()
    until(lambda: sync.text() == "one")
    done = sync.once()
    assert done.returncode == 1
    assert "another process" in done.stderr


def test_a_root_inside_another_repository_gets_one_of_its_own(
    tmp_path: Path, repo: Repository
) -> None:
    outer = Repository(tmp_path / "outer", mine="mine")
    with GitSyncProgram(outer.folder, repo.url) as sync:
        assert sync.once().returncode == 0
        assert sync.text() == "one"
    assert outer.git("status", "--porcelain", "mine") == ""


def test_a_file_where_the_link_goes_is_left_alone(sync: GitSyncProgram) -> None:
    sync.live.mkdir(parents=True)
    (sync.live / "precious").write_text("x")
    done = sync.once()
    assert done.returncode == 1
    assert "in-place" in done.stderr
    assert (sync.live / "precious").exists()


def test_in_place_the_folder_stays_and_only_its_files_change(
    repo: Repository, sync: GitSyncProgram
) -> None:
    repo.commit(file="one", same="same", gone="x")
    (repo.folder / "sub").mkdir()
    repo.commit(**{"sub/deep": "a"})
    sync.start("--publish=in-place")
    until(lambda: sync.text("sub/deep") == "a")
    until(lambda: sync.text("gone") == "x")
    folder, same = sync.live.stat().st_ino, (sync.live / "same").stat().st_ino
    (repo.folder / "gone").unlink()
    repo.commit(file="two")
    until(lambda: sync.text() == "two" and not (sync.live / "gone").exists())
    assert (sync.live.stat().st_ino, (sync.live / "same").stat().st_ino) == (folder, same)
    assert not (sync.live / ".git").exists()


def test_a_missing_server_is_tried_again(tmp_path: Path, sync: GitSyncProgram) -> None:
    (tmp_path / "repo").rename(tmp_path / "away")
    sync.start("--http-bind=")
    until(lambda: sync.count("sync failed") > 1)
    (tmp_path / "away").rename(tmp_path / "repo")
    until(lambda: sync.text() == "one")


def test_a_sync_that_takes_too_long_is_ended(tmp_path: Path, sync: GitSyncProgram) -> None:
    slow = tmp_path / "slow-git"
    slow.write_text('#!/bin/sh\n[ "$1" = fetch ] && sleep 60\nexec git "$@"\n')
    slow.chmod(0o755)
    done = sync.once(f"--git={slow}", "--sync-timeout=1s")
    assert done.returncode == 1
    assert "longer than 1 s" in done.stderr
    assert sync.once().returncode == 0
