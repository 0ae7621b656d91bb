"""Every setting of ``pinnace up``: one frozen class per component. Pure.

The defaults stand here, each with its reason. Durations are seconds here and may be written
``"30s"`` in the file, a variable or a flag. A section is a table of the TOML file and the first
half of a variable's name: ``[dns] listen`` is ``PINNACE_DNS__LISTEN``.
"""

from typing import Literal

import msgspec

__all__ = [
    "DnsSettings",
    "DockerSettings",
    "HttpSettings",
    "LbSettings",
    "LogSettings",
    "RegistrarSettings",
    "SchedulerSettings",
    "Settings",
    "StoreSettings",
    "TemplateSettings",
]


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the configuration file."""


class DockerSettings(_Section, frozen=True):
    """How to reach the Docker engine."""

    url: str = "unix:///var/run/docker.sock"  # or DOCKER_HOST when that is set
    ping: float = 5.0  # twice, with an answer's limit: a half-open stream is noticed within 15 s


class StoreSettings(_Section, frozen=True):
    """Where the catalogue is kept."""

    url: str = "embedded:"
    state_dir: str = ""  # empty: in memory only
    recover: bool = False  # damage is for a person to see before anything older takes its place


class RegistrarSettings(_Section, frozen=True):
    """How containers become instances."""

    stores: tuple[str, ...] = ()  # besides store.url, each with a queue of its own
    ip: str = ""  # empty: the address of the interface towards the default route
    second_ip: str = ""  # of the other family; readers that know both get both
    interfaces: tuple[str, ...] = ()  # empty: the interface towards the default route
    networks: tuple[str, ...] = ()  # empty: the one a container was started on
    node: str = ""  # empty: as node_from says
    node_from: Literal["auto", "host", "engine"] = "auto"
    # auto: inside a container our own host name is its id, so the engine's name stands for the
    # host there.
    internal: Literal["auto", "always", "never"] = "auto"
    # auto: published ports by the host's address; a container that publishes nothing is
    # registered by its own address and exposed ports. never is Registrator's default,
    # always its -internal.
    explicit: bool = False  # whoever starts a container wants it found
    use_ip_from_label: str = ""
    allow_address_override: bool = False  # else a tenant could point a name at another host
    tags: str = ""
    merge_tags: bool = False  # a port's list replaces the plain one, as in Registrator
    name_suffix: Literal["auto", "always", "never"] = "auto"
    service_prefix: str = ""
    ttl: float = 60.0  # a lost host is gone within it; a restart of ours is quicker by far
    ttl_refresh: float = 20.0  # two of three may be missed
    resync: float = 30.0  # also after every reconnect; events are hints only
    deregister: Literal["always", "on-success", "never"] = "always"
    cleanup: bool = False  # what carries our mark is always cleaned up; this is for the unmarked
    on_exit: Literal["keep", "deregister", "maintenance"] = "keep"  # a restart disturbs nobody
    retry_attempts: int = -1  # for ever: a host comes up in any order
    retry_interval: float = 2.0
    compat: bool = False  # its bugs are for those who depend on them


class DnsSettings(_Section, frozen=True):
    """Names and how they are answered (`specs` of Consul's DNS interface)."""

    listen: str = "127.0.0.1:8600"
    domain: str = "consul"  # what clients of the peers use
    alt_domain: str = "pinnace"
    datacenter: str = "dc1"
    node_name: str = ""  # empty: the host name
    ttl: float = 0.0  # of services: 0 is Consul's default
    service_ttl: tuple[str, ...] = ()  # NAME=TTL, BEGINNING*=TTL: the longest that fits counts
    node_ttl: float = 0.0  # of nodes, addresses, name servers and reverse names
    soa_refresh: float = 3600.0
    soa_retry: float = 600.0
    soa_expire: float = 86400.0
    soa_min_ttl: float = 0.0  # how long "no such name" holds: what starts is to be found at once
    only_passing: bool = False
    empty_service: Literal["nxdomain", "nodata"] = "nxdomain"  # users of Consul rely on it
    instance_names: bool = False
    a_record_limit: int = 0
    udp_answer_limit: int = 0  # Consul's 3 made clients believe that 3 is all there is
    enable_truncate: bool = True  # else a client never learns that there is more
    disable_compression: bool = False
    node_meta_txt: bool = True
    service_meta_txt: bool = False
    svcb: bool = False
    near: Literal["none", "subnet"] = "none"
    nsid: str = "{node}"
    cookie_secret: tuple[str, ...] = ()  # empty: drawn at start; several hosts may share one
    version_string: str = ""  # it helps nobody but attackers
    skydns_domain: str = ""
    skydns_template: str = "{id}.{service}.{tags}"
    skydns_ttl: float = 3600.0  # SkyDNS's default
    max_stale: float = 315_360_000.0  # ten years: old answers are better than none
    max_udp_payload: int = 1232  # RFC 9715
    recursors: tuple[str, ...] = ()  # who answers other names; empty: those are refused
    recursor_strategy: Literal["sequential", "random"] = "sequential"
    recursor_timeout: float = 2.0  # per try, as Consul
    recursion_allow: tuple[str, ...] = (
        *("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
        *("169.254.0.0/16", "fe80::/10", "fc00::/7"),
    )  # RFC 5358: an open resolver is a weapon
    forward: tuple[str, ...] = ()  # DOMAIN=UPSTREAM[,UPSTREAM...]
    mix_case: bool = False  # a few old servers change the case of what they are asked
    cache_bytes: int = 8 << 20  # some 20,000 answers
    serve_stale: float = 0.0  # RFC 8767 leaves that to the operator
    max_concurrent_forwards: int = 1000
    tcp_idle_timeout: float = 10.0
    tcp_max_conns: int = 1024
    tcp_max_conns_per_ip: int = 64
    rrl_responses_per_second: int = 0  # a resolver in front of many looks like an attack
    rrl_window: float = 15.0
    rrl_slip: int = 2  # every second one tells an honest client to come by TCP
    rrl_exempt: tuple[str, ...] = (
        *("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
        *("169.254.0.0/16", "fe80::/10", "fc00::/7"),
    )  # also who may get replies over ten times as long as the question
    transfer_allow: tuple[str, ...] = ()  # a transfer names everything there is
    also_notify: tuple[str, ...] = ()
    tls_listen: str = ""
    https_listen: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    query_log: str = ""  # a line per query costs more than the answer
    workers: int = 1  # one core answers more than a host asks


class HttpSettings(_Section, frozen=True):
    """API, health, metrics."""

    listen: str = "127.0.0.1:8500"
    token_file: str = ""  # holds the token that clients from other hosts must send
    insecure: bool = False  # listen beyond loopback without a token
    max_connections: int = 200  # per client address, as Consul's http_max_conns_per_client
    max_waiting: int = 10_000  # blocking queries at once; each holds about 15 kB


class LbSettings(_Section, frozen=True):
    """The load balancer in front of the services."""

    kind: Literal["haproxy", "nginx", "none"] = "haproxy"
    listen: str = "127.0.0.1:8080"
    program: str = ""  # empty: looked up in PATH
    dir: str = ""  # rendered files and sockets; empty: a private run directory
    drain: float = 10.0  # how long an instance that leaves may finish what it has
    stats: str = ""  # HAProxy's own page and metrics; empty: none, as they name every service
    attach: str = ""  # socket of a HAProxy that somebody else runs; empty: we start one
    tls_listen: str = ""  # empty: no TLS
    certificates: str = ""  # NAME.pem, or NAME.crt and NAME.key; NAME is a host or domain
    http2: bool = True  # towards clients that speak TLS
    template: str = ""  # empty: the shipped one
    template_language: Literal["jinja", "go"] = "jinja"


class TemplateSettings(_Section, frozen=True):
    """One file rendered from the live catalogue: a ``[[template]]`` of the file."""

    source: str
    destination: str
    language: Literal["jinja", "go"] = "jinja"
    mode: str = ""  # empty: as the file has it, else 0644
    owner: str = ""  # USER or USER:GROUP; empty: ourselves
    check: tuple[str, ...] = ()  # words, no shell; {src} is the new file, {dest} the old one
    reload: tuple[str, ...] = ()  # as check
    run_as: str = ""  # USER that both commands run as; empty: ourselves
    timeout: float = 30.0  # a command that takes longer is killed with all it started
    min_instances: int = 0  # fewer instances than this are not believed
    debounce: float = 0.0  # a single change need not wait
    min_reload_interval: float = 0.0  # reloads of small programs cost little


class SchedulerSettings(_Section, frozen=True):
    """Which containers are kept running, and on which hosts."""

    on: bool = False  # a stack or nodes switch it on too
    stack: str = ""  # a Compose file that is deployed, and again when it changes
    nodes: str = ""  # files, folders, "store:"; empty: the one engine of docker.url
    probe: float = 2.0  # with the time-out, new work avoids a silent node within four seconds
    probe_timeout: float = 1.0
    down_after: float = 15.0  # a restart of Docker is over by then; peers take 90 s and more
    failure_domain: str = ""  # a label of hosts, for the strategy balanced
    seed: int = 0
    election: str = ""  # empty: the store, or a file where that is embedded
    lease: float = 5.0
    fence: tuple[str, ...] = ()  # words, no shell; the node's name is added
    api: str = ""  # a socket's path; empty: one of this user, which its owner and root may use
    state: str = ""  # what was ordered, where no store keeps it; empty: a file of this user
    listen: str = ""  # orders by TCP: whoever may give them rules the hosts, so not by default
    token_file: str = ""  # as of http, but asked of this host too
    tls_certificate: str = ""
    tls_key: str = ""
    tls_ca: str = ""  # whose certificates clients must show


class LogSettings(_Section, frozen=True):
    """How to log, on stderr."""

    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(_Section, frozen=True):
    """Everything one process needs."""

    docker: DockerSettings = DockerSettings()
    store: StoreSettings = StoreSettings()
    registrar: RegistrarSettings = RegistrarSettings()
    dns: DnsSettings = DnsSettings()
    http: HttpSettings = HttpSettings()
    lb: LbSettings = LbSettings()
    scheduler: SchedulerSettings = SchedulerSettings()
    log: LogSettings = LogSettings()
    template: tuple[TemplateSettings, ...] = ()
