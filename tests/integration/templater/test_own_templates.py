"""Templates of the configuration on real files, with real commands."""

import asyncio
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar.catalog.changes import Drop, Put
from sidecar.catalog.model import InstanceId
from sidecar.metrics import REGISTRY
from tests.support.catalog import instance, puts
from tests.support.own_templates import Site, keeping_files

LINE = "{% for one in service('web').ready %}{{ one.socket }};{% endfor %}"


def changed() -> float:
    return (
        REGISTRY.get_sample_value("pinnace_templater_renders_total", {"result": "changed"}) or 0.0
    )


async def test_a_file_follows_the_catalogue_and_its_reader_is_told(tmp_path: Path) -> None:
    site = Site(tmp_path)
    told = tmp_path / "told"
    script = "import sys, shutil; shutil.copy(sys.argv[1], sys.argv[2])"
    reload = (sys.executable, "-c", script, "{dest}", str(told))
    path = site.add("web.conf", LINE, reload=reload, mode="0600")
    async with keeping_files(site):
        site.catalog.commit(puts(instance()))
        await asyncio.sleep(0.05)
        assert not path.exists(), "the catalogue is not complete yet"
        assert "not rendered yet" in (site.trouble() or "")
        site.catalog.mark_synced()
        await site.until(told, "192.0.2.1:8080;")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        site.catalog.commit(puts(instance(port=81), instance(id_="b", address="2001:db8::1")))
        await site.until(told, "[2001:db8::1]:8080;192.0.2.1:81;")
        assert site.trouble() is None


async def test_only_templates_that_read_what_changed_are_rendered(tmp_path: Path) -> None:
    site = Site(tmp_path)
    clock = "{{ range(1)|length }}"
    one = site.add("one", "{{ service('a').instances|length }}" + clock)
    two = site.add("two", "{{ service('b').instances|length }}" + clock)
    site.catalog.mark_synced()
    async with keeping_files(site):
        await site.until(one, "01")
        await site.until(two, "01")
        two.write_text("touched by hand")
        site.catalog.commit(puts(instance("a")))
        await site.until(one, "11")
        await asyncio.sleep(0.1)
        assert two.read_text() == "touched by hand"
        site.catalog.commit(puts(instance("b")))
        await site.until(two, "11")


async def test_keys_are_read_and_followed(tmp_path: Path) -> None:
    site = Site(tmp_path)
    await site.store.kv.put("app/color", b"blue")
    text = "{{ key('app/color') }} {% for one in keys('app/') %}"
    text += "{{ one.key }}={{ one.value }} {% endfor %}"
    path = site.add("keys", text + "{{ key('none', 'default') }}")
    site.catalog.mark_synced()
    async with keeping_files(site):
        await site.until(path, "blue app/color=blue default")
        await site.store.kv.put("app/size", b"7")
        await site.until(path, "blue app/color=blue app/size=7 default")
        await site.store.kv.put("none", b"found")
        await site.until(path, "blue app/color=blue app/size=7 found")


async def test_a_refused_file_leaves_the_old_one_and_is_told(tmp_path: Path) -> None:
    site = Site(tmp_path)
    check = ("/bin/grep", "-q", "8080", "{src}")
    path = site.add("web.conf", LINE, check=check)
    site.catalog.commit(puts(instance()))
    site.catalog.mark_synced()
    async with keeping_files(site):
        await site.until(path, "192.0.2.1:8080;")
        site.catalog.commit(puts(instance(port=81)))
        await site.until_trouble("Config check failed: exit status 1")
        assert path.read_text() == "192.0.2.1:8080;"
        site.catalog.commit(puts(instance(port=18080)))
        await site.until(path, "192.0.2.1:18080;")
        assert site.trouble() is None


async def test_a_reload_that_fails_is_owed_until_it_succeeds_also_over_a_restart(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path)
    gate, told = tmp_path / "gate", tmp_path / "told"
    script = f"test -e {gate} && echo told > {told}"
    path = site.add("web.conf", LINE, reload=("/bin/sh", "-c", script))
    site.catalog.commit(puts(instance()))
    site.catalog.mark_synced()
    async with keeping_files(site):
        await site.until(path, "192.0.2.1:8080;")
        await site.until_trouble("reload of")
    assert not told.exists()
    gate.touch()
    async with keeping_files(site):
        await site.until(told, "told\n")


async def test_fewer_instances_than_the_least_are_not_believed(tmp_path: Path) -> None:
    site = Site(tmp_path)
    path = site.add("web.conf", LINE, min_instances=1)
    site.catalog.commit(puts(instance()))
    site.catalog.mark_synced()
    async with keeping_files(site):
        await site.until(path, "192.0.2.1:8080;")
        site.catalog.commit([Drop("web", InstanceId("web-1"))])
        await site.until_trouble("0 instances, fewer than min_instances 1")
        assert path.read_text() == "192.0.2.1:8080;"


async def test_most_instances_going_at_once_must_be_seen_twice(tmp_path: Path) -> None:
    site = Site(tmp_path)
    path = site.add("count", "{{ service('web').instances|length }}")
    many = [instance(id_=f"i{n}") for n in range(8)]
    site.catalog.commit(puts(*many))
    site.catalog.mark_synced()
    async with keeping_files(site):
        await site.until(path, "8")
        site.catalog.commit([Drop("web", one.id) for one in many])
        await asyncio.sleep(0.2)
        assert path.read_text() == "8"
        site.catalog.commit([Put(one) for one in many])
        await asyncio.sleep(1.2)
        assert path.read_text() == "8"
        site.catalog.commit([Drop("web", one.id) for one in many])
        await site.until(path, "0")


async def test_a_broken_template_harms_no_other_and_an_edit_mends_it(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bad = site.add("bad", "{% for x in %}")
    good = site.add("good", LINE)
    site.catalog.commit(puts(instance()))
    site.catalog.mark_synced()
    async with keeping_files(site):
        await site.until(good, "192.0.2.1:8080;")
        await site.until_trouble("bad.j2:1: ")
        await asyncio.sleep(1.1)  # the look at the files has seen the first text
        (tmp_path / "bad.j2").write_text("mended {{ service('web').name }}")
        await site.until(bad, "mended web")


async def test_a_value_that_cannot_be_written_names_service_and_field(tmp_path: Path) -> None:
    site = Site(tmp_path)
    text = "{% for one in service('web').ready %}{{ one.meta.path }}{% endfor %}"
    path = site.add("web.conf", text)
    site.catalog.commit(puts(instance(meta={"path": "/x\nserver evil"})))
    site.catalog.mark_synced()
    async with keeping_files(site):
        await site.until_trouble("web.conf.j2:1: service 'web': meta 'path' holds the character")
        assert not path.exists()


async def test_an_endless_template_ends_and_leaves_the_loop_free(tmp_path: Path) -> None:
    site = Site(tmp_path)
    nested = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    site.add("endless", nested)
    good = site.add("good", LINE)
    site.catalog.commit(puts(instance()))
    site.catalog.mark_synced()
    async with keeping_files(site):
        await site.until(good, "192.0.2.1:8080;")
        await site.until_trouble("endless.j2:1: takes more than", within=15)


async def test_go_templates_have_the_same_data(tmp_path: Path) -> None:
    site = Site(tmp_path)
    await site.store.kv.put("color", b"blue")
    text = '{{range (service "web").Ready}}{{.Address}}:{{.Port}} {{end}}{{key "color" | haproxy}}'
    path = site.add("go", text, language="go")
    site.catalog.commit(puts(instance()))
    site.catalog.mark_synced()
    async with keeping_files(site):
        await site.until(path, "192.0.2.1:8080 blue")


async def test_a_command_that_hangs_is_killed_and_the_reload_stays_owed(tmp_path: Path) -> None:
    site = Site(tmp_path)
    path = site.add("web.conf", LINE, reload=("/bin/sleep", "60"), timeout=0.3)
    site.catalog.commit(puts(instance()))
    site.catalog.mark_synced()
    async with keeping_files(site):
        await site.until(path, "192.0.2.1:8080;")
        await site.until_trouble("killed after 0.3 s")
        assert (tmp_path / ".web.conf.reload-owed").exists()


async def test_commands_get_no_data_no_shell_and_no_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONSUL_HTTP_TOKEN", "secret")
    site = Site(tmp_path)
    told = tmp_path / "told"
    script = (
        "import os, sys\nfound = sys.argv[2:], 'CONSUL_HTTP_TOKEN' in os.environ\n"
        "open(sys.argv[1], 'w').write(repr(found))"
    )
    site.add(
        "web.conf",
        "{{ service('web').instances[0].meta.x|shell }}",
        reload=(sys.executable, "-c", script, str(told), "$(id)", "; true", "{dest}x"),
    )
    site.catalog.commit(puts(instance(meta={"x": "'; touch /tmp/evil; '{dest}"})))
    site.catalog.mark_synced()
    async with keeping_files(site):
        words = ["$(id)", "; true", f"{tmp_path}/web.confx"]
        await site.until(told, repr((words, False)))


async def test_files_with_the_same_reload_are_told_of_once(tmp_path: Path) -> None:
    site, told = Site(tmp_path), tmp_path / "told"
    reload = ("/bin/sh", "-c", f"echo told >> {told}; sleep 0.1")
    paths = [site.add(f"{name}.conf", LINE, reload=reload) for name in "abc"]
    other = site.add("d.conf", LINE, reload=("/bin/sh", "-c", f"echo $0 >> {told}.d", "{dest}"))
    site.catalog.commit(puts(instance()))
    site.catalog.mark_synced()
    async with keeping_files(site):
        await site.until(told, "told\n", within=20)
        await site.until(Path(f"{told}.d"), f"{other}\n", within=20)
        site.catalog.commit(puts(instance(port=81)))
        for path in (*paths, other):
            await site.until(path, "192.0.2.1:81;", within=20)
        await site.until(told, "told\ntold\n", within=20)
        await site.until(Path(f"{told}.d"), f"{other}\n{other}\n", within=20)
        assert site.trouble() is None


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may look into: pytest's own are for one user alone."""
    with tempfile.TemporaryDirectory(prefix="pnt-") as path:
        Path(path).chmod(0o755)
        yield Path(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
async def test_commands_run_as_another_user_when_asked_to(open_folder: Path) -> None:
    site, told = Site(open_folder), open_folder / "told"
    told.mkdir()
    told.chmod(0o777)
    script = f"{{ id -un; id -Gn; }} > {told}/new; mv {told}/new {told}/who"
    path = site.add(
        "web.conf", LINE, run_as="nobody", mode="0644",
        check=("/bin/sh", "-c", "test $(id -un) = nobody && test -r {src}"),
        reload=("/bin/sh", "-c", script),
    )  # fmt: skip
    stranger = site.add("x.conf", LINE, run_as="no-such-user", check=("true",))
    site.catalog.commit(puts(instance()))
    site.catalog.mark_synced()
    async with keeping_files(site):
        await site.until(path, "192.0.2.1:8080;", within=20)
        await site.until(told / "who", "nobody\nnogroup\n", within=20)
        await site.until_trouble("run_as: the user 'no-such-user' is not known here", within=20)
        assert not stranger.exists()
