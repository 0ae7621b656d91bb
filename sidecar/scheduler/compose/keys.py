"""Which keys of a Compose file are honoured, by whom, and which are not. Pure.

Nothing is dropped in silence: what is in none of these tables is a mistake, what is ignored is said
with its line. Source: the Compose specification's schema.
"""

from enum import StrEnum
from typing import Final

__all__ = ["DEPLOY", "FILE", "SERVICE", "Class", "class_of"]


class Class(StrEnum):
    """Who takes care of a key."""

    ENGINE = "engine"
    CORE = "core"
    FILE = "file"
    REFUSED = "refused"
    IGNORED = "ignored"
    UNKNOWN = "unknown"


def _table(**words: str) -> dict[str, Class]:
    return {key: Class(name) for name, text in words.items() for key in text.split()}


SERVICE: Final = _table(
    engine="""
        image command entrypoint environment env_file working_dir user group_add hostname domainname
        init labels label_file annotations expose ports volumes tmpfs read_only volumes_from
        network_mode networks extra_hosts dns dns_opt dns_search links external_links ulimits
        sysctls cap_add cap_drop security_opt privileged devices device_cgroup_rules shm_size ipc
        pid uts userns_mode cgroup cgroup_parent stop_signal stop_grace_period logging tty
        stdin_open runtime storage_opt mem_limit mem_reservation mem_swappiness memswap_limit cpus
        cpu_count cpu_percent cpu_shares cpu_quota cpu_period cpu_rt_runtime cpu_rt_period cpuset
        pids_limit oom_kill_disable oom_score_adj pull_policy pull_refresh_after platform
        healthcheck restart configs secrets container_name
    """,
    core="depends_on scale deploy profiles post_start pre_stop x-pinnace",
    file="extends",
    refused="credential_spec isolation provider models gpus use_api_socket",
    ignored="develop attach blkio_config mac_address",
)
"""Keys of a service; ``build`` is refused only where there is no image."""

DEPLOY: Final = _table(
    core="""
        mode replicas placement resources restart_policy update_config rollback_config labels
        endpoint_mode
    """,
)

FILE: Final = _table(
    file="name version services networks volumes configs secrets include",
    refused="models",
)


def class_of(table: dict[str, Class], key: str) -> Class:
    """Return who takes care of a key; extensions (``x-...``) are nobody's and no mistake."""
    if key.startswith("x-") and key != "x-pinnace":
        return Class.FILE
    return table.get(key, Class.UNKNOWN)
