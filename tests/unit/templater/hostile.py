"""Labels as an attacker writes them, for every field (reliability T1)."""

from typing import Any

from hypothesis import strategies as st

from sidecar.catalog.model import (
    BACKUP,
    CANARY,
    CANARY_MATCH,
    CERT_NAME,
    CHECK,
    CHECK_FALL,
    CHECK_INTERVAL,
    CHECK_RISE,
    HSTS,
    HTTP_ACCESS,
    HTTP_BALANCE,
    HTTP_HOST,
    HTTP_PROTO,
    HTTPS_METHOD,
    RETRIES,
    STICKY,
    TCP_LISTEN,
    TIMEOUT_ANSWER,
    TIMEOUT_CONNECT,
    TIMEOUT_TUNNEL,
    Instance,
    InstanceId,
)

__all__ = ["EVIL", "FIELDS", "GOOD", "META", "TEXTS", "hostile_instance"]

META = (
    HTTP_HOST, HTTP_PROTO, HTTP_ACCESS, HTTP_BALANCE, HTTPS_METHOD, CERT_NAME, HSTS, STICKY,
    RETRIES, TIMEOUT_CONNECT, TIMEOUT_ANSWER, TIMEOUT_TUNNEL, CHECK, CHECK_INTERVAL, CHECK_FALL,
    CHECK_RISE, CANARY, CANARY_MATCH, BACKUP, TCP_LISTEN,
)  # fmt: skip
GOOD = {
    HTTP_HOST: "a.example.org/x=/y, b.example.org/~u/+1, *.w.example.org, c.example.org/=/z",
    HTTP_PROTO: "https", HTTP_ACCESS: "10.0.0.0/8, ::/0", HTTP_BALANCE: "leastconn",
    HTTPS_METHOD: "redirect", CERT_NAME: "shared", HSTS: "max-age=60; preload",
    STICKY: "cookie:SEAT", RETRIES: "2", TIMEOUT_CONNECT: "1s", TIMEOUT_ANSWER: "2s",
    TIMEOUT_TUNNEL: "3s", CHECK: "/up", CHECK_INTERVAL: "5s", CHECK_FALL: "2", CHECK_RISE: "1",
    CANARY: "5", CANARY_MATCH: "header:X-Canary=1,cookie:beta=a.b", BACKUP: "true",
    TCP_LISTEN: "5432",
}  # fmt: skip
EVIL = (
    "1\nfrontend evil\n bind :9\n http-request return status 200",
    "a\r\nb", "x\u2028y", "x\u2029y", "x\x85y", 'a" b', "'", "#", "\\", "%[env(PATH)]", "${HOME}",
    "$host", "\x00", "\ud800", 'x"; } } evil { a "b', "x; return 200 evil;", "~^evil", "*.*",
    ".example.org", "127.0.0.1:99 backup", "unix:/run/docker.sock", "a.example.org/$1=/(.*)",
    'a.example.org/x" { } #', "10.0.0.0/8; deny", "shared crt /etc/shadow", "../../etc/shadow",
    "cookie:x insert", "cookie:x;", "/up ver HTTP/1.1 hdr X evil", "/up\nserver evil 1.2.3.4:5",
    "max-age=1; evil", "max-age=1\n evil", "5s\n evil", "2 check", "true\n", "5%\n", "redirect\n",
    "header:x=1 } { always_true", "header:x=1,cookie:y=2;", "cookie:a=$host", "header:a\nb=1",
    "٣", "１", "a;show info", "web.localhost http.evil\nx", "ﬀ.example.org", "ſ.example.org",
)  # fmt: skip
TEXTS = st.text(max_size=30) | st.sampled_from(EVIL) | st.sampled_from(tuple(GOOD.values()))
_PATHS = TEXTS | TEXTS.map("a.example.org/{}".format) | TEXTS.map("a.example.org/x={}".format)
FIELDS = st.fixed_dictionaries(
    {
        "id": TEXTS, "node": TEXTS, "address": TEXTS | st.just("192.0.2.1"),
        "service": TEXTS | st.just("web"), "tag": TEXTS, "key": TEXTS,
        "port": st.integers(-9, 99999) | st.just(80), "weight": st.integers(-9, 99999),
        "meta": st.fixed_dictionaries(
            {HTTP_HOST: _PATHS},
            optional={key: TEXTS | st.just(GOOD[key]) for key in META if key != HTTP_HOST},
        ),
    }
)  # fmt: skip


def hostile_instance(fields: dict[str, Any], **others: Any) -> Instance:
    """Return the instance that fields describe, its tag and key as a pair of meta too."""
    values = {**fields, **others}
    tag, key = values.pop("tag"), values.pop("key")
    meta = {key: tag} | values.pop("meta")
    id_ = InstanceId(values.pop("id"))
    return Instance(id=id_, tags=(tag,), meta=meta, **values)
