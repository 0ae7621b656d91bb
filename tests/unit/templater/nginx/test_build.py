"""What binaries say of themselves."""

import pytest

from sidecar.errors import PermanentError
from templater.nginx.build import Build, build_of, counters_of

DEBIAN = """nginx version: nginx/1.22.1
built with OpenSSL 3.0.15
TLS SNI support enabled
configure arguments: --with-cc-opt='-g -O2 -Wformat' --prefix=/usr/share/nginx \
--modules-path=/usr/lib/nginx/modules --with-http_stub_status_module --with-stream=dynamic
"""


def test_a_module_for_tcp_may_lie_beside_the_binary() -> None:
    assert build_of(DEBIAN) == Build(
        (1, 22, 1),
        has_stream=False,
        stream_file="/usr/lib/nginx/modules/ngx_stream_module.so",
        has_stub_status=True,
        has_tls=False,
        has_http2=False,
        temporary=("client_body", "proxy", "fastcgi", "uwsgi", "scgi"),
    )


def test_a_module_for_tcp_may_be_built_in_and_others_left_out() -> None:
    found = build_of(
        "nginx version: openresty/1.25.3.1\n"
        "configure arguments: --prefix=/opt/x --with-stream --without-http_scgi_module\n"
    )
    assert found.has_stream
    assert found.stream_file == "/opt/x/modules/ngx_stream_module.so"
    assert not found.has_stub_status
    assert "scgi" not in found.temporary


def test_a_binary_that_says_no_arguments_has_nginxs_own_prefix() -> None:
    found = build_of("nginx version: nginx/1.27.3\n")
    assert found.stream_file == "/usr/local/nginx/modules/ngx_stream_module.so"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("nginx version: nginx/1.18.0\n", r"nginx 1\.18\.0 is too old: 1\.19\.5 or newer"),
        ("GNU bash\x1b[1m", r"this is not nginx: 'GNU bash\\x1b"),
        ("", "this is not nginx"),
    ],
)
def test_what_is_too_old_or_not_nginx_is_refused(words: str, why: str) -> None:
    with pytest.raises(PermanentError, match=why):
        build_of(words)


def test_counters_are_read() -> None:
    words = (
        "Active connections: 3 \nserver accepts handled requests\n 9 9 12 \n"
        "Reading: 0 Writing: 1 Waiting: 2 \n"
    )
    assert counters_of(words) == {"active": 3, "reading": 0, "writing": 1, "waiting": 2}
