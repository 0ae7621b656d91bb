"""Who we are to which repositories, and with which password. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from sidecar.gitsync.flags import Given

__all__ = ["Credential", "credentials_of", "leaf_of", "line_of", "without_password"]


@dataclass(frozen=True, slots=True)
class Credential:
    """A user and the password, or the file that holds it, for a URL and all below."""

    url: str
    user: str
    password: str = field(default="", repr=False)
    file: str = ""


def line_of(credential: Credential, password: str) -> str:
    """Return the line of git's credential store."""
    parts = urlsplit(credential.url)
    who = f"{quote(credential.user, safe='')}:{quote(password, safe='')}"
    return f"{parts.scheme}://{who}@{_host(credential.url)}\n"


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def credentials_of(
    given: Given,
    environ: Mapping[str, str],
    repo: str,
    inner: tuple[str, str] | None,
    problems: list[str],
) -> tuple[Credential, ...]:
    """Return all that were given; ``inner`` is what the URL of ``repo`` held."""
    user, file = given.text("username"), given.text("password-file")
    names = ("GITSYNC_PASSWORD", "GIT_SYNC_PASSWORD")
    password = next((environ[name] for name in names if environ.get(name)), "")
    if bool(user) != bool(password or file):
        problems.append(
            "--username and one of --password-file and GITSYNC_PASSWORD need each other"
        )
    if password and file:
        problems.append("only one of GITSYNC_PASSWORD and --password-file can be used")
    if user and inner:
        problems.append("--repo holds a user already; leave out --username")
    found = [Credential(_site(repo), user, password, file)] * bool(user)
    found += [Credential(_site(repo), *inner)] if inner else []
    for text in given.texts("credential"):
        found += _listed(text, problems)
    return tuple(found)


def _listed(text: str, problems: list[str]) -> list[Credential]:
    try:
        document = json.loads(text)
    except ValueError:
        problems.append("--credential is no JSON")
        return []
    found = []
    for each in document if isinstance(document, list) else [document]:
        entry = each if isinstance(each, dict) else {}
        words = {key: str(entry.get(key) or "") for key in ("url", "username")}
        secrets = str(entry.get("password") or ""), str(entry.get("password-file") or "")
        if not all(words.values()) or all(secrets) or not any(secrets):
            problems.append(
                "--credential needs url, username, and one of password-file and password"
            )
            continue
        found.append(Credential(words["url"], words["username"], *secrets))
    return found


def leaf_of(repo: str) -> str:
    return PurePosixPath(repo.rstrip("/").replace(":", "/")).name


def _site(repo: str) -> str:
    """Return the URL of the whole host: submodules may be elsewhere on it."""
    parts = urlsplit(repo)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in {"http", "https"} else repo


def without_password(repo: str) -> tuple[str, tuple[str, str] | None]:
    """Return the URL without its password, which other users of the machine could see."""
    parts = urlsplit(repo)
    if parts.scheme not in {"http", "https"} or parts.password is None:
        return repo, None
    plain = urlunsplit(parts._replace(netloc=_host(repo)))
    return plain, (unquote(parts.username or ""), unquote(parts.password))
