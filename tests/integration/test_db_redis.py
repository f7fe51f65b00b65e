"""Users of a real Redis: each step is foreseen as it is done, done once, felt by who logs in, and outlives a restart.

FLATRUN_TEST_REDIS names another image than the usual one, such as flatrun/redis:7.0-local.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError, Unreachable
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Walk, walk
from ansible_collections.flatrun.infra.plugins.module_utils.database.arguments import DB
from ansible_collections.flatrun.infra.plugins.module_utils.database.endpoint import Endpoint, locate
from ansible_collections.flatrun.infra.plugins.module_utils.database.redis_acl import COMMANDS, allowed
from ansible_collections.flatrun.infra.plugins.module_utils.database.redis_session import Session
from ansible_collections.flatrun.infra.plugins.module_utils.database.redis_world import RedisWorld
from ansible_collections.flatrun.infra.plugins.module_utils.database.room import ROOM
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import parse
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec_connection import connection
from ansible_collections.flatrun.infra.plugins.module_utils.service.arguments import INFRA
from ansible_collections.flatrun.infra.plugins.module_utils.service.room import ROOM as INFRA_ROOM
from ansible_collections.flatrun.infra.tests.integration.databases import filled
from ansible_collections.flatrun.infra.tests.integration.faults.modules import WAIT
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from redis.backoff import NoBackoff
from redis.retry import Retry

TLS_PORT = 6390
TLS_CONF = f"""tls-port {TLS_PORT}
tls-cert-file /usr/local/etc/redis/server.pem
tls-key-file /usr/local/etc/redis/server.key
tls-ca-cert-file /usr/local/etc/redis/ca.pem
tls-auth-clients yes
"""


# Commands that everybody may give.
ALWAYS = ("auth", "hello", "quit", "reset")


def certificates(folder: Path) -> None:
    """An authority, and a certificate for each side."""
    now = datetime.datetime.now(datetime.timezone.utc)
    authority = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
    for name in ("ca", "server", "client"):
        key = authority if name == "ca" else ec.generate_private_key(ec.SECP256R1())
        subject = issuer if name == "ca" else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(name == "ca", None), True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("192.0.2.1"))]), False)
            .sign(authority, hashes.SHA256())
        )
        plain = serialization.NoEncryption()
        form = serialization.PrivateFormat.PKCS8
        (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
        (folder / f"{name}.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))


@pytest.fixture(scope="module")
def server(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    prefix = f"frt{secrets.token_hex(3)}"
    root = f"/var/tmp/flatrun-test-{prefix}"
    files = tmp_path_factory.mktemp("certificates")
    certificates(files)
    mounted = {name: (files / name).read_text() for name in ("ca.pem", "server.pem", "server.key")}
    item = {
        "name": "redis",
        "type": "redis",
        "container": f"{prefix}-redis",
        "image": os.environ.get("FLATRUN_TEST_REDIS", images["redis"]),
        "networks": [prefix],
        "config_files": {"tls.conf": TLS_CONF, **mounted},
    }
    os.mkdir(root, 0o755)
    given = {"root_dir": root, "networks": [{"name": prefix}], "services": [item], "wait_timeout": WAIT}
    params = filled(INFRA.options, given)
    try:
        walk(INFRA_ROOM, INFRA_ROOM.parse(params), False, Walk())
        yield {"container": item["container"], "root_dir": root, "files": str(files)}
    finally:
        subprocess.run(["docker", "rm", "--force", item["container"]], capture_output=True, check=False)
        subprocess.run(["docker", "network", "rm", prefix], capture_output=True, check=False)
        subprocess.run(["rm", "-rf", root], check=True)


def at(server: dict[str, Any]) -> dict[str, Any]:
    return {"container": server["container"], "root_dir": server["root_dir"]}


def endpoint_of(place: dict[str, Any]) -> Endpoint:
    found = locate(connection(filled(DB.options, place)))
    assert isinstance(found, Endpoint)
    return found


def run(place: dict[str, Any], task: dict[str, Any], check_mode: bool = False) -> Walk[Any]:
    course: Walk[Any] = Walk()
    walk(ROOM, ROOM.parse(filled(DB.options, {**place, **task})), check_mode, course)
    return course


def login(server: dict[str, Any], name: str, password: str) -> redis.Redis:
    place = endpoint_of(at(server))
    # A refused password would be tried again and again, each time later.
    once = Retry(NoBackoff(), 0)
    return redis.Redis(host=place.host, port=place.port, username=name, password=password, retry=once)


def may(client: redis.Redis, *words: str) -> bool | None:
    """Whether the server lets it; None where it doesn't even take the password."""
    try:
        client.execute_command(*words)
    except redis.exceptions.AuthenticationError:
        return None
    except redis.exceptions.NoPermissionError:
        return False
    return True


def patiently(look: Callable[[], object]) -> None:
    """Until the server is there."""
    until = time.monotonic() + WAIT
    while True:
        try:
            look()
            return
        except redis.exceptions.ConnectionError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


ODD = "a'p\"p`\\;é"
APP = {"name": ODD, "password": "first $x 'q'"}
RULES = {"keys": ["app:*", "%R~shared:*"], "channels": ["news"], "commands": ["@read", "set", "-keys", "config|get"]}
STEPS: list[tuple[dict[str, Any], list[str]]] = [
    ({**APP, **RULES}, ["create"]),
    # The same, said otherwise.
    ({**APP, "keys": ["%r~shared:*", "%RW~app:*"], "commands": ["-@all", "+@READ", "-keys", "+set", "CONFIG|GET"]}, []),
    ({**APP, "commands": ["+@all", "-@dangerous"]}, ["alter"]),
    ({**APP, "keys": ["%R~both:*", "%W~both:*", "one:*", "%R~one:*"]}, ["alter"]),
    ({**APP, "keys": ["*", "x"], "channels": []}, ["alter"]),
    ({**APP, "attributes": ["LOCKED"]}, ["alter"]),
    ({**APP, "attributes": ["UNLOCKED"], **RULES}, ["alter"]),
    ({**APP, "password": "second"}, ["set_password"]),
    ({**APP, "password": "third", "update_password": "on_create"}, []),
    ({**APP, "password": "third", "retain_password": True}, ["set_password"]),
    ({**APP, "password": "third"}, ["discard"]),
    ({"name": ODD, "state": "absent"}, ["drop"]),
]


def test_every_step_is_foreseen_done_once_and_kept(server: dict[str, Any]) -> None:
    for user, verbs in STEPS:
        task = {"users": [user]}
        foreseen = run(at(server), task, check_mode=True).plan
        done = run(at(server), task).plan
        assert [action.verb for action in done.actions] == verbs, user
        assert done.diff() == foreseen.diff()
        again = run(at(server), task).plan
        assert not again, (user, again.actions)
        kept = subprocess.run(
            ["docker", "exec", server["container"], "cat", "/data/users.acl"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert (f"user {ODD} " in kept) is (user.get("state") != "absent")
        assert str(user.get("password", "nothing of it")) not in kept


def test_users_may_do_what_is_asked_and_after_a_restart_too(server: dict[str, Any]) -> None:
    run(at(server), {"users": [{**APP, **RULES}, {"name": "bare", "password": "x"}]})
    for restarted in (False, True):
        if restarted:
            subprocess.run(["docker", "restart", server["container"]], capture_output=True, check=True)
            patiently(lambda: may(login(server, ODD, APP["password"]), "PING"))
        client = login(server, ODD, APP["password"])
        assert may(client, "SET", "app:1", "x") is True
        assert may(client, "GET", "shared:1") is True
        assert may(client, "CONFIG", "GET", "port") is True
        for words in (("SET", "shared:1", "x"), ("GET", "other"), ("KEYS", "*"), ("CONFIG", "SET", "port", "1")):
            assert may(client, *words) is False, words
        assert may(client, "PUBLISH", "news", "x") is False
        assert may(login(server, ODD, "wrong"), "PING") is None
        assert may(login(server, "bare", "x"), "PING") is False
        assert not run(at(server), {"users": [{**APP, **RULES}]}).plan
    run(at(server), {"users": [{"name": ODD, "state": "absent"}, {"name": "bare", "state": "absent"}]})


def test_a_new_user_has_the_channels_of_the_task_where_the_server_gives_all(server: dict[str, Any]) -> None:
    asked: dict[str, dict[str, Any]] = {"a1": {}, "a2": {"channels": ["x:*"]}, "a3": {"channels": []}}
    users = [{"name": name, "password": "x", "commands": ["publish"], **rules} for name, rules in asked.items()]
    session = Session(endpoint_of(at(server)))
    session.ask("CONFIG", "SET", "acl-pubsub-default", "allchannels")
    try:
        run(at(server), {"users": users})
        assert not run(at(server), {"users": users}).plan
        felt = [may(login(server, name, "x"), "PUBLISH", channel, "x") for name in asked for channel in ("x:1", "y")]
        assert felt == [False, False, True, False, False, False]
    finally:
        session.ask("CONFIG", "SET", "acl-pubsub-default", "resetchannels")
        session.close()
        run(at(server), {"users": [{"name": name, "state": "absent"} for name in asked]})


def test_an_administrator_does_the_work_and_nothing_beyond(server: dict[str, Any]) -> None:
    least = {"name": "least", "password": "of the least", "attributes": ["ADMINISTRATOR"]}
    assert run(at(server), {"users": [least]}).plan
    assert not run(at(server), {"users": [least]}).plan
    place = {**at(server), "login_user": "least", "login_password": "of the least"}
    for task in ({**APP, **RULES}, {**APP, "password": "second"}, {"name": ODD, "state": "absent"}):
        assert run(place, {"users": [task]}).plan
        assert not run(place, {"users": [task]}).plan
    client = login(server, "least", "of the least")
    for words in (("GET", "x"), ("SET", "x", "1"), ("FLUSHALL",), ("CONFIG", "SET", "port", "1"), ("SHUTDOWN",)):
        assert may(client, *words) is False, words
    with pytest.raises(FlatrunError, match="has rules of its own"):
        run(at(server), {"users": [{**least, "keys": ["*"]}]})
    run(at(server), {"users": [{"name": "least", "state": "absent"}]})


def test_a_former_password_works_until_it_is_discarded(server: dict[str, Any]) -> None:
    user = {"name": "rotated", "commands": ["ping"]}
    run(at(server), {"users": [{**user, "password": "one"}]})
    run(at(server), {"users": [{**user, "password": "two", "retain_password": True}]})
    assert [may(login(server, "rotated", word), "PING") for word in ("one", "two", "six")] == [True, True, None]
    assert not run(at(server), {"users": [{**user, "password": "two", "retain_password": True}]}).plan
    run(at(server), {"users": [{**user, "password": "two"}]})
    assert [may(login(server, "rotated", word), "PING") for word in ("one", "two")] == [None, True]
    run(at(server), {"users": [{"name": "rotated", "state": "absent"}]})


def test_one_former_password_works_beside_the_present_one(server: dict[str, Any]) -> None:
    session = Session(endpoint_of(at(server)))
    words = ("one", "two", "three")

    def set_to(password: str, *verbs: str) -> list[str]:
        task = {"users": [{"name": "rotated", "commands": ["ping"], "password": password, "retain_password": True}]}
        assert [action.verb for action in run(at(server), task).plan.actions] == [*verbs]
        session.ask("ACL", "LOAD")
        assert not run(at(server), task).plan
        return [word for word in words if may(login(server, "rotated", word), "PING")]

    try:
        assert set_to("one", "create") == ["one"]
        assert set_to("two", "set_password") == ["one", "two"]
        assert set_to("three", "set_password") == ["two", "three"]
        # Back to the former one, and on from there.
        assert set_to("two", "set_password") == ["two", "three"]
        assert set_to("one", "set_password") == ["one", "two"]
        session.ask("ACL", "SETUSER", "rotated", ">six", ">three")
        session.ask("ACL", "SAVE")
        assert set_to("three", "discard") == ["three"]
        assert may(login(server, "rotated", "six"), "PING")
    finally:
        session.close()
        run(at(server), {"users": [{"name": "rotated", "state": "absent"}]})


def test_what_the_server_means_by_rules_is_what_is_compared(server: dict[str, Any]) -> None:
    """Each rule set is given to the server, and what it lets a user do is what is foreseen here."""
    sets = [
        ["+@all", "-config", "+config|get"],
        ["+@all", "-@dangerous", "-@slow"],
        ["@slow", "-cluster"],
        ["get", "-@read", "@hash", "-hget"],
        ["client|list", "client|kill", "-client|list"],
    ]
    session = Session(endpoint_of(at(server)))
    try:
        world = RedisWorld(session, parse(filled(DB.options, {**at(server), "users": [{**APP, "commands": ["get"]}]})))
        known = world.observe().privileges
        for number, rules in enumerate(sets):
            name = f"meant{number}"
            run(at(server), {"users": [{"name": name, "password": "x", "keys": ["*"], "commands": rules}]})
            foreseen = allowed([rule if rule[0] in "+-" else f"+{rule}" for rule in rules], known)
            asked = sorted(known[COMMANDS])
            held = 0
            answers = session.ask_all([("ACL", "DRYRUN", name, *command.split("|"), *["0"] * 9) for command in asked])
            for command, answer in zip(asked, answers):
                words = str(answer)
                if "wrong number" in words or "not found" in words or command in ALWAYS:
                    continue
                held += 1
                assert ("no permissions to run" not in words) is (command in foreseen), (rules, command, words)
            assert held > 100
            run(at(server), {"users": [{"name": name, "state": "absent"}]})
    finally:
        session.close()


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"databases": [{"name": "x"}]}, "databases: means nothing to Redis"),
    ({"grants": [{"user": "a", "database": "x", "privileges": ["ALL"]}]}, "grants: means nothing to Redis"),
    ({"grants_mode": "exclusive"}, "grants_mode: means nothing to Redis"),
    ({"login_db": "x"}, "login_db: is for PostgreSQL alone"),
    ({"users": [{**APP, "host": "10.%"}]}, "users[0].host: a user of Redis has no host"),
    ({"users": [{**APP, "plugin": "md5"}]}, "users[0].plugin: means nothing to Redis"),
    ({"users": [{**APP, "limits": {"max_user_connections": 1}}]}, "users[0].limits: means nothing to Redis"),
    ({"users": [{**APP, "tls_requires": "ssl"}]}, "users[0].tls_requires: means nothing to Redis"),
    ({"users": [{**APP, "force": True}]}, "users[0].force: means nothing to Redis"),
    ({"users": [{**APP, "attributes": ["CREATEDB"]}]}, "users[0].attributes: CREATEDB is not an attribute"),
    ({"users": [{**APP, "name": "a b"}]}, "users[0].name: holds a space"),
    ({"users": [{**APP, "keys": ["a b"]}]}, "users[0].keys[0]: 'a b' is no pattern"),
    ({"users": [{**APP, "keys": ["%x"]}]}, "users[0].keys[0]: '%x' begins like"),
    ({"users": [{**APP, "commands": ["(+get ~x)"]}]}, "users[0].commands[0]: '(+get ~x)' is not a command"),
    ({"users": [{**APP, "commands": ["gett"]}]}, "users[0].commands[0]: gett is not a command of this server"),
    ({"users": [{**APP, "commands": ["config|gett"]}]}, "config|get, config|help"),
    ({"users": [{**APP, "commands": ["@nothing"]}]}, "It knows @admin, @all, @bitmap"),
    ({"users": [{**APP, "password_hash": "x"}]}, "users[0].password_hash: is given beside password"),
    ({"users": [{"name": "a", "password_hash": "x"}]}, "users[0].password_hash: is not what Redis keeps"),
    ({"users": [{"name": "a"}]}, "users[0].password: a does not exist"),
    ({"users": [{"name": "default", "state": "absent"}]}, "users[0].name: default belongs to the server itself"),
    ({"users": [{"name": "default", "password": "another"}]}, "would lock the next task out"),
    ({"users": [{"name": "default", "commands": ["get"]}]}, "may lose none of its rights here"),
    ({"users": [{"name": "default", "attributes": ["LOCKED"]}]}, "may lose none of its rights here"),
    ({"login_user": "default", "login_password": "wrong"}, "Correct login_user or login_password"),
]


@pytest.mark.parametrize(("task", "says"), REFUSED, ids=[says[:40] for _task, says in REFUSED])
def test_refused(task: dict[str, Any], says: str, server: dict[str, Any]) -> None:
    before = Session(endpoint_of(at(server))).ask("ACL", "LIST")
    with pytest.raises(FlatrunError) as refusal:
        run(at(server), task)
    assert says in refusal.value.sentence()
    assert Session(endpoint_of(at(server))).ask("ACL", "LIST") == before


def test_over_tls_with_a_certificate_of_ones_own(server: dict[str, Any]) -> None:
    inside = endpoint_of(at(server))
    files = server["files"]
    place = {
        "engine": "redis",
        "login_host": inside.host,
        "login_port": TLS_PORT,
        "login_password": inside.passwords[0].reveal(),
        "ssl_mode": "verify-ca",
        "ca_cert": f"{files}/ca.pem",
    }
    task = {"users": [{"name": "far", "password": "x"}]}
    with pytest.raises(Unreachable):
        run(place, task)
    place |= {"client_cert": f"{files}/client.pem", "client_key": f"{files}/client.key"}
    with pytest.raises(FlatrunError, match=r"(?i)certificate|match"):
        run({**place, "ssl_mode": "verify-full"}, task)
    assert run(place, task).plan
    assert run(place, {"users": [{"name": "far", "state": "absent"}]}).plan


def test_a_server_that_keeps_no_users_is_refused(server: dict[str, Any]) -> None:
    """One of the same image, as people run it."""
    name = f"{server['container']}-plain"
    image = os.environ.get("FLATRUN_TEST_REDIS", "flatrun/redis:local")
    command = ["docker", "run", "--detach", "--name", name, image, "redis-server", "--protected-mode", "no"]
    subprocess.run(command, capture_output=True, check=True)
    try:
        place = {"engine": "redis", "container": name}
        patiently(lambda: redis.Redis(host=endpoint_of(place).host).ping())
        with pytest.raises(FlatrunError) as refusal:
            run(place, {"users": [APP]})
        assert "users would be lost with a restart" in refusal.value.sentence()
        assert len(Session(endpoint_of(place)).ask("ACL", "LIST")) == 1
    finally:
        subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)
