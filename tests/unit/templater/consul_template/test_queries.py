"""The text forms of queries, their names and what is wrong with them, in the peer's words."""

import pytest

from templater.consul_template import queries
from templater.consul_template.queries import KeyQuery, Scope

UNKNOWN_PARAMETER = (
    'kv.get: invalid query parameter key "x" in query "x=1": supported keys: ns,peer,partition,'
    "sameness-group"
)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        (queries.key("a/b"), "kv.get(a/b)"),
        (queries.key("/a", blocks=True), "kv.block(a)"),
        (queries.key("a?ns=n&partition=p@dc-2"), "kv.get(a@dc-2@partition=p@ns=n)"),
        (queries.listing("a/@dc1"), "kv.list(a/@dc1)"),
        (queries.keys("a"), "kv.keys(a)"),
        (queries.health("web"), "health.service(web|passing)"),
        (queries.health("v1.2.web"), "health.service(v1.2.web|passing)"),
        (
            queries.health("a.web?peer=x@dc1~n1|warning,passing"),
            "health.service(a.web@dc1@peer=x~n1|passing,warning)",
        ),
        (queries.health("web|any", is_connect=True), "health.connect(web|any)"),
        (queries.services(""), "catalog.services"),
        (queries.services("@dc1"), "catalog.services(@dc1)"),
        (queries.nodes(""), "catalog.nodes"),
        (queries.nodes("@dc1~_agent"), "catalog.nodes(@dc1~_agent)"),
        (queries.node(""), "catalog.node"),
        (queries.node("n.1@dc1"), "catalog.node(n.1@dc1)"),
        (queries.datacenters(), "catalog.datacenters"),
        (queries.file(" /a b "), "file(/a b)"),
        (queries.secret("/secret/x/"), "vault.read(secret/x)"),
        (queries.secret("pki", "a = b", ""), "vault.write(pki)"),
        (queries.secrets("secret/"), "vault.list(secret)"),
        (queries.pki_cert("/pki/issue/a ", "x=y", destination="/d"), "vault.pki(pki/issue/a->/d)"),
    ],
)
def test_a_query_is_named_as_the_peer_names_it(query: object, name: str) -> None:
    assert str(query) == name


def test_equal_texts_are_one_query() -> None:
    assert queries.key("a") is queries.key("a")
    assert len({queries.key("a"), queries.key("/a"), queries.key("a", blocks=True)}) == 2
    assert queries.key("a?ns=x") == KeyQuery("a", Scope(ns="x"))


@pytest.mark.parametrize(
    ("ask", "mistake"),
    [
        (lambda: queries.key("a@"), 'kv.get: invalid format: "a@"'),
        (lambda: queries.listing("@dc1"), 'kv.list: invalid format: "@dc1"'),
        (lambda: queries.health("*"), 'health.service: invalid format: "*"'),
        (lambda: queries.health("a b"), 'health.service: invalid format: "a b"'),
        (
            lambda: queries.health("web|up"),
            'health.service: invalid filter: "up" in "web|up"',
        ),
        (
            lambda: queries.health("web?peer=a&sameness-group=b"),
            "health.service: cannot specify both peer and sameness-group",
        ),
        (
            lambda: queries.key("a?x=1"),
            UNKNOWN_PARAMETER,
        ),
        (lambda: queries.services("web"), 'catalog.services: invalid format: "web"'),
        (lambda: queries.nodes("x"), 'catalog.nodes: invalid format: "x"'),
        (lambda: queries.node("a/b"), 'catalog.node: invalid format: "a/b"'),
        (
            lambda: queries.datacenters(True, False),
            "datacenters: wrong number of arguments, expected 0 or 1, but got 2",
        ),
        (lambda: queries.file(" "), 'file: invalid format: ""'),
        (lambda: queries.secret("/"), 'vault.read: invalid format: "/"'),
        (lambda: queries.secret("a", "b"), 'not k=v pair "b"'),
        (lambda: queries.secrets(""), 'vault.list: invalid format: ""'),
        (lambda: queries.pki_cert("/"), 'vault.pki: invalid format: "/"'),
        (lambda: queries.pki_cert("pki", "c"), 'not k=v pair "c"'),
    ],
)
def test_a_wrong_text_is_refused_in_the_peers_words(ask: object, mistake: str) -> None:
    assert callable(ask)
    with pytest.raises(ValueError) as refused:  # noqa: PT011  (the text is compared below)
        ask()
    assert str(refused.value) == mistake
