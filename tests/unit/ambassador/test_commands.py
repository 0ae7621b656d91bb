"""Every command of Redis 7.0 has a route, by its flags and by what flags do not tell."""

import pytest

from ambassador.redis.commands import ADMIN, Route, Table, names_of


@pytest.mark.parametrize(
    ("words", "route"),
    [
        ("get", Route.READ),
        ("GeT", Route.READ),
        ("set", Route.WRITE),
        ("getex", Route.WRITE),
        ("xack", Route.WRITE),
        ("sort", Route.WRITE),
        ("sort_ro", Route.READ),
        ("pfcount", Route.READ),
        ("eval", Route.SCRIPT),
        ("evalsha_ro", Route.SCRIPT_READ),
        ("publish", Route.WRITE),
        ("touch", Route.LOOK),
        ("object encoding", Route.READ),
        ("object freq", Route.LOOK),
        ("memory usage", Route.READ),
        ("xinfo stream", Route.LOOK),
        ("xgroup create", Route.WRITE),
        ("script load", Route.WRITE),
        ("script kill", Route.KILL),
        ("function load", Route.WRITE),
        ("config get", Route.LOOK),
        ("config set", Route.ONCE),
        ("blpop", Route.ONCE),
        ("xreadgroup", Route.ONCE),
        ("xread", Route.XREAD),
        ("scan", Route.CURSOR),
        ("multi", Route.TRANSACTION),
        ("subscribe", Route.SUBSCRIBE),
        ("monitor", Route.SUBSCRIBE),
        ("client id", Route.SESSION),
        ("client list", Route.ONCE),
        ("client tracking", Route.TRACKING),
        ("wait", Route.WAIT),
        ("shutdown", Route.FORBIDDEN),
        ("keys", Route.READ),
        ("info", Route.SESSION),
        ("migrate", Route.WRITE),
        ("tomorrows.command", Route.ONCE),
        ("client whatsthis", Route.ONCE),
        ("object whatsthis", Route.LOOK),
    ],
    ids=str,
)
def test_a_command_goes_where_it_belongs(words: str, route: Route) -> None:
    name, _, sub = words.partition(" ")
    assert Table().command(name.encode(), sub.encode()).route is route


def test_every_write_of_redis_is_a_write_or_has_an_upstream_alone() -> None:
    table = Table()
    for name in table.names():
        head, _, sub = name.partition("|")
        found = table.command(head.encode(), sub.encode())
        if "write" in found.flags:
            assert found.route in {Route.WRITE, Route.SCRIPT, Route.ONCE, Route.FORBIDDEN}, name
        if found.route is Route.READ:
            assert "readonly" in found.flags
            assert "blocking" not in found.flags


def test_dangerous_commands_are_known_as_such() -> None:
    table = Table()
    for name in ADMIN - {"pfdebug", "pfselftest", "script|debug"}:
        head, _, sub = name.partition("|")
        assert table.command(head.encode(), sub.encode()).is_admin, name


def test_what_a_server_tells_wins_over_the_shipped_table() -> None:
    told = names_of(
        [
            [b"get", -2, [b"write"], 1, 1, 1, [], [], [], []],
            [b"json.get", -2, [b"readonly", b"module"], 1, 1, 1],
            [b"own", -2, [], 0, 0, 0, [], [], [], [[b"own|sub", 2, [b"readonly"], 1, 1, 1]]],
            [b"broken"],
        ]
    )
    assert [command.name for command in told] == ["get", "json.get", "own", "own|sub"]
    table = Table(told)
    assert table.command(b"CONFIG").is_container
    assert not table.command(b"get").is_container
    assert table.command(b"GET").route is Route.WRITE
    assert table.command(b"json.get").route is Route.READ
    assert names_of(None) == []
