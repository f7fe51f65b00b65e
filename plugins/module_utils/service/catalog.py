# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each type of service needs: facts, once, and nothing that acts on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.flatrun.infra.plugins.module_utils.service.nginx import NGINX_FILES, STATUS_PORT

# Where certificates and ACME challenges are found in every container that serves or makes them.
CERTIFICATES = "/etc/flatrun/certificates"
ACME = "/var/www/acme"
SECRETS = "/run/secrets"
BOOTSTRAP = "bootstrap"

# An entrypoint that starts as root gives the data to its own account and becomes it; it needs nothing else.
_DROP_TO_ACCOUNT = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID")


@dataclass(frozen=True)
class ServiceType:
    """``data`` and ``config`` are paths in the container; ``account`` is who the server runs as there.

    ``secret`` is the administrator's password among the item's secrets, ``longest`` how many bytes of it a login can
    send. ``bootstrap`` is the variable by which an image takes the first password from a file. ``version`` is the
    image's variable that tells the server's version, and ``series`` how many of its numbers name a data format.
    """

    name: str
    image: str
    port: int
    capabilities: tuple[str, ...] = ()
    healthcheck: tuple[str, ...] = ()
    data: str = ""
    config: str = ""
    account: str = ""
    secret: str = ""
    bootstrap: str = ""
    longest: int = 0
    version: tuple[str, ...] = ()
    series: int = 0
    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    published: tuple[str, ...] = ()
    # Folders of root_dir that services share: path in the container to (folder, mode).
    shared: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    stop_timeout: int = 10
    released: bool = False


# An open port proves nothing, and the temporary server of a first start doesn't listen on TCP: so the checks speak the
# protocol, over TCP, and without a password. "Access denied" is an answer too.
_MYSQL_PING = "ping --protocol=tcp --host=127.0.0.1 --user=healthcheck --connect-timeout=3"

_MYSQL = ServiceType(
    name="mysql",
    image="mysql:9.7",
    port=3306,
    capabilities=_DROP_TO_ACCOUNT,
    healthcheck=("CMD-SHELL", f"mysqladmin --no-defaults {_MYSQL_PING} --port={{port}}"),
    data="/var/lib/mysql",
    config="/etc/mysql/conf.d",
    account="mysql",
    secret="root_password",
    bootstrap="MYSQL_ROOT_PASSWORD_FILE",
    # Without TLS clients send it encrypted by the server's RSA key of 2048 bits, which has room for no more. With TLS
    # it would be 256.
    longest=213,
    version=("MYSQL_VERSION", "MYSQL_MAJOR"),
    files={"00-flatrun.cnf": "[mysqld]\nport = {port}\n"},
    series=2,
    # A server that flushes a large buffer pool takes its time; killing it early means recovery at the next start.
    stop_timeout=60,
)

_MARIADB = ServiceType(
    name="mariadb",
    image="mariadb:11.8",
    port=3306,
    capabilities=_DROP_TO_ACCOUNT,
    healthcheck=("CMD-SHELL", f"mariadb-admin --no-defaults {_MYSQL_PING} --port={{port}}"),
    data="/var/lib/mysql",
    config="/etc/mysql/conf.d",
    account="mysql",
    secret="root_password",
    bootstrap="MARIADB_ROOT_PASSWORD_FILE",
    version=("MARIADB_VERSION",),
    files={"00-flatrun.cnf": "[mysqld]\nport = {port}\n"},
    series=2,
    stop_timeout=60,
)

_POSTGRESQL = ServiceType(
    name="postgresql",
    image="postgres:17",
    port=5432,
    capabilities=_DROP_TO_ACCOUNT,
    healthcheck=("CMD-SHELL", "pg_isready --quiet --host=127.0.0.1 --port={port}"),
    data="/var/lib/postgresql/data",
    config="/etc/postgresql",
    account="postgres",
    secret="postgres_password",
    bootstrap="POSTGRES_PASSWORD_FILE",
    version=("PG_MAJOR", "PG_VERSION"),
    series=1,
    command=("postgres", "-c", "config_file=/etc/postgresql/main", "-c", "port={port}"),
    env={"PGDATA": "/var/lib/postgresql/data"},
    # include_dir reads the files that end in .conf, in the order of their names.
    files={"main": "listen_addresses = '*'\npassword_encryption = scram-sha-256\ninclude_dir '/etc/postgresql'\n"},
    stop_timeout=60,
)

_REDIS = ServiceType(
    name="redis",
    image="redis:8",
    port=6379,
    capabilities=_DROP_TO_ACCOUNT,
    healthcheck=("CMD-SHELL", "redis-cli -p {port} ping | grep -qE 'PONG|NOAUTH'"),
    data="/data",
    config="/usr/local/etc/redis",
    account="redis",
    secret="password",
    version=("REDIS_VERSION",),
    command=("redis-server", "/usr/local/etc/redis/main"),
    # Every change is on disk within a second, unless a file of the item says otherwise.
    files={
        "main": "appendonly yes\n"
        "include /usr/local/etc/redis/*.conf\n"
        "aclfile /data/users.acl\n"
        "protected-mode no\n"
        "port {port}\n"
    },
    stop_timeout=30,
)

_NGINX = ServiceType(
    name="nginx",
    image="nginx:1.30",
    port=80,
    capabilities=("CHOWN", "DAC_OVERRIDE", "NET_BIND_SERVICE", "SETGID", "SETUID"),
    healthcheck=(
        "CMD-SHELL",
        f"curl -fsS -o /dev/null http://127.0.0.1:{STATUS_PORT}/ || wget -qO /dev/null http://127.0.0.1:{STATUS_PORT}/",
    ),
    config="/etc/nginx/conf.d",
    version=("NGINX_VERSION",),
    files=NGINX_FILES,
    published=("*:80:80", "*:443:443"),
    shared={CERTIFICATES: ("certificates", "ro"), ACME: ("acme", "ro")},
    released=True,
)

_CERTBOT = ServiceType(
    name="certbot",
    image="certbot/certbot:latest",
    port=0,
    healthcheck=("CMD-SHELL", "command -v certbot"),
    data="/etc/letsencrypt",
    version=("CERTBOT_VERSION",),
    # It waits to be asked. As the first process a shell must take the signal itself, or stopping takes ten seconds.
    entrypoint=("sh", "-c", "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait $!; done"),
    shared={ACME: ("acme", "rw")},
)

CATALOG: Mapping[str, ServiceType] = {
    kind.name: kind for kind in (_NGINX, _MYSQL, _MARIADB, _POSTGRESQL, _REDIS, _CERTBOT)
}
DATABASES = ("mysql", "mariadb", "postgresql")


def with_port(text: str, port: int) -> str:
    return text.replace("{port}", str(port))


def series_of(kind: ServiceType, version: str) -> str:
    """The part of a version that names the data's format: ``9.7`` of ``9.7.0-1.el9``, ``17`` of ``17.2-1.pgdg``."""
    bare = version.split(":", 1)[-1].split("-", 1)[0].split("+", 1)[0]
    return ".".join(bare.split(".")[: kind.series]) if kind.series else ""


def image_series(kind: ServiceType, env: Mapping[str, str]) -> str | None:
    """The format that an image's server writes, from the variables it was built with; None where it doesn't tell."""
    found = [env[name] for name in kind.version if env.get(name)]
    return series_of(kind, found[0]) if found and kind.series else None
