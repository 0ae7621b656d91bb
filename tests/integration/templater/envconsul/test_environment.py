"""What a child finds in its environment, beside a real Consul and a server of Vault's shape."""

from pathlib import Path

from tests.support.envconsul import Envconsul, put
from tests.support.vault_shape import vault_shape


def test_pristine_environment_is_only_what_was_read_and_chosen(
    url: str, program: Envconsul, tmp_path: Path
) -> None:
    put(url, "app/db/host", "h")
    put(url, "app/bytes", b"\xff\xc3\xa4")
    put(url, "app/denied", "x")
    file = tmp_path / "c.json"
    file.write_text('{"exec": {"env": {"denylist": ["DEN*"], "custom": ["A=b=c"]}}}')
    done = program.run(
        "-once", "-config", str(file), "-pristine", "-upcase", "-sanitize", "-prefix", "app",
        f"/usr/bin/env >{tmp_path}/got",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = set((tmp_path / "got").read_bytes().splitlines())
    theirs = {b"PWD=" + str(Path.cwd()).encode()}  # the shell's own
    assert lines - theirs == {b"DB_HOST=h", b"BYTES=\xff\xc3\xa4", b"A=b=c"}


def test_child_inherits_the_environment_as_it_was_and_what_was_read_wins(
    url: str, program: Envconsul
) -> None:
    put(url, "app/SHARED", "consul")
    program.env |= {"SHARED": "inherited", "OWN": "1"}
    got = program.variables("-prefix", "app")
    assert got == {**program.env, "SHARED": "consul"}


def test_tokens_given_by_flag_or_file_do_not_reach_the_child(
    program: Envconsul, tmp_path: Path
) -> None:
    file = tmp_path / "c.hcl"
    file.write_text('vault {\n  token = "vault-secret"\n}\n')
    got = program.variables(
        "-config", str(file), "-consul-auth", "u:pass-secret", "-consul-token", "t", "-prefix",
        "app",
        "-log-level", "info",
    )  # fmt: skip
    assert got == program.env
    program.env["CONSUL_HTTP_TOKEN"] = ""
    assert "CONSUL_HTTP_TOKEN" in program.variables("-prefix", "app")


def test_secret_wins_over_a_prefix_and_names_begin_with_its_path(
    url: str, program: Envconsul
) -> None:
    put(url, "app/kv_db_password", "from consul")
    with vault_shape() as vault:
        vault.secrets["kv/db"] = {"password": "from vault", "port": 5}
        vault.secrets["secret/plain"] = {"user": "u"}
        (program.folder / ".vault-token").write_text("root\n")
        got = program.variables(
            "-vault-addr", vault.url, "-secret", "kv/db", "-secret", "secret/plain",
            "-prefix", "app",
        )  # fmt: skip
    assert got["kv_db_password"] == "from vault"
    assert got["secret_plain_user"] == "u"
    assert "kv_db_port" not in got
    assert "root" not in got.values()


def test_instances_of_a_service_become_variables(program: Envconsul) -> None:
    got = program.variables("-service-query", "consul", "-upcase", "-sanitize")
    assert got["CONSUL_NAME"] == got["CONSUL_ID"] == "consul"
    assert got["CONSUL_ADDRESS"] == got["CONSUL_TAG"] == ""
    assert got["CONSUL_PORT"].isdigit()


def test_mistakes_end_with_the_statuses_of_the_original(program: Envconsul) -> None:
    assert program.run("-nope").returncode == 13
    assert program.run("-prefix", "a@b@c", "env").returncode == 14
    assert program.run("-prefix", "a").returncode == 15
    version = program.run("-v")
    assert (version.returncode, version.stdout[:18]) == (0, "envconsul v0.13.4 ")
