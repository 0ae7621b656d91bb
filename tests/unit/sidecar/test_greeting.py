from sidecar.catalog.model import EMPTY
from sidecar.config.model import DnsSettings, LbSettings, Settings
from sidecar.greeting import greeting
from tests.support.catalog import instance, snapshot


def test_greeting_shows_a_table_and_three_lines_to_copy() -> None:
    text = greeting(snapshot(instance(), instance("api", "api-1", draining=True)), Settings())
    lines = text.splitlines()
    assert lines[1].split() == ["SERVICE", "INSTANCE", "ADDRESS", "STATE"]
    assert lines[2].split() == ["api", "api-1", "192.0.2.1:8080", "draining"]
    assert lines[3].split() == ["web", "web-1", "192.0.2.1:8080", "passing"]
    assert "  dig @127.0.0.1 -p 8600 api.service.consul SRV" in lines
    assert "  curl -H 'Host: api.localhost' http://127.0.0.1:8080/" in lines
    assert "  http://127.0.0.1:8500/ui/" in lines


def test_greeting_names_the_first_of_several_addresses() -> None:
    settings = Settings(dns=DnsSettings(listen="127.0.0.1:53,[::1]:54"))
    assert "  dig @127.0.0.1 -p 53 web.service.consul SRV" in greeting(EMPTY, settings).splitlines()


def test_greeting_without_containers_says_so_and_shows_an_example() -> None:
    text = greeting(EMPTY, Settings(lb=LbSettings(kind="none")))
    assert "No container" in text
    assert "web.service.consul" in text
    assert "curl" not in text


def test_greeting_cuts_a_long_list_and_escapes_names() -> None:
    many = [instance(f"s{n:02}", "a\x1b[2J") for n in range(25)]
    text = greeting(snapshot(*many), Settings())
    assert "and 5 more" in text
    assert "\x1b" not in text
