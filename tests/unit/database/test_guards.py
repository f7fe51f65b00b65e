"""What is refused of users before anything is done: what would lock somebody out, or would never come true."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.database.endpoint import Endpoint
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import (
    DIFFERS,
    LOCKED,
    MARIADB,
    MYSQL,
    POSTGRESQL,
    ROLE,
    SAME,
    UNKNOWN,
    Database,
    Grantee,
    State,
    Target,
    User,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.mysql_accounts import Account
from ansible_collections.flatrun.infra.plugins.module_utils.database.mysql_session import Session
from ansible_collections.flatrun.infra.plugins.module_utils.database.mysql_text import render
from ansible_collections.flatrun.infra.plugins.module_utils.database.plan import plan
from ansible_collections.flatrun.infra.plugins.module_utils.database.postgresql_dialect import encoding
from ansible_collections.flatrun.infra.plugins.module_utils.database.room import report
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import parse
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec_connection import Tls
from ansible_collections.flatrun.infra.tests.unit.database.world import ADMINISTRATOR, params

NATIVE = "mysql_native_password"
ALL_PLUGINS = frozenset({NATIVE, "caching_sha2_password", "ed25519", "unix_socket"})


def state(engine: str, name: str = "blog", **more: Any) -> State:
    who = Grantee(name) if engine == POSTGRESQL else Grantee(name, "%")
    found = User(who, **{"password": SAME, "plugin": "ed25519", **more})
    return State(engine, reached=True, administrator=ADMINISTRATOR, users={who: found}, plugins=ALL_PLUGINS)


def planned(found: State, **user: Any) -> list[str]:
    return [action.verb for action in plan(parse(params(users=[{"name": "blog", **user}])), found).actions]


def refusal(found: State, **user: Any) -> str:
    with pytest.raises(FlatrunError) as error:
        planned(found, **user)
    return error.value.sentence()


@pytest.mark.parametrize(
    ("engine", "had", "plugin"),
    [(MYSQL, NATIVE, "caching_sha2_password"), (MARIADB, "ed25519", NATIVE), (POSTGRESQL, "md5", "scram-sha-256")],
)
def test_another_plugin_needs_a_password(engine: str, had: str, plugin: str) -> None:
    found = state(engine, plugin=had)
    assert refusal(found, plugin=plugin).startswith("users[0].password: blog")
    assert planned(found, plugin=plugin, password="pw") == ["set_password"]
    assert not planned(found, plugin=plugin, update_password="on_create")
    assert not planned(state(engine, plugin=plugin), plugin=plugin)


@pytest.mark.parametrize("force", [False, True])
def test_the_database_that_is_logged_in_to_stays(force: bool) -> None:
    gone = [{"name": "shop", "state": "absent", "force": force}]
    found = State(POSTGRESQL, databases={"shop": Database("shop")})
    with pytest.raises(FlatrunError) as error:
        plan(parse(params(login_db="shop", databases=gone)), found)
    assert error.value.sentence().startswith("databases[0].name: shop is the database that this task logs in to")
    assert "login_db" in error.value.sentence()
    assert plan(parse(params(login_db="Shop", databases=gone)), found)


def test_the_sockets_plugin_needs_none() -> None:
    assert planned(state(MARIADB), plugin="unix_socket") == ["set_password"]


def test_a_plugin_that_nobody_may_see_is_no_other_one() -> None:
    assert not planned(state(POSTGRESQL, plugin=""), plugin="scram-sha-256", password="pw")


@pytest.mark.parametrize(
    ("engine", "had", "more"),
    [
        (MARIADB, {}, {"plugin": "unix_socket"}),
        (MARIADB, {}, {"plugin": NATIVE, "password": "pw"}),
        (MARIADB, {"tls": "none"}, {"tls_requires": "x509"}),
        (MYSQL, {}, {"limits": {"max_user_connections": 1}}),
        (MYSQL, {}, {"attributes": ["LOCKED"]}),
        (POSTGRESQL, {}, {"limits": {"valid_until": "2001-01-01"}}),
        (POSTGRESQL, {"attributes": frozenset({"CREATEDB"})}, {"attributes": ["NOCREATEDB"]}),
    ],
)
def test_the_administrator_in_use_keeps_its_way_in(engine: str, had: dict[str, Any], more: dict[str, Any]) -> None:
    found = state(engine, ADMINISTRATOR, **had)
    assert "may lose none of its rights here" in refusal(found, name=ADMINISTRATOR, **more)


def test_the_administrator_in_use_may_be_named_as_it_is() -> None:
    found = state(MARIADB, ADMINISTRATOR, tls="ssl", limits={"max_user_connections": "5"})
    same = {"plugin": "ed25519", "tls_requires": "ssl", "limits": {"max_user_connections": 5}, "password": "pw"}
    assert not planned(found, name=ADMINISTRATOR, **same)


@pytest.mark.parametrize(
    ("engine", "user", "says"),
    [
        (MYSQL, {"password": "pw", "limits": {"max_queries_per_hour": -1}}, "users[0].limits.max_queries_per_hour:"),
        (MARIADB, {"password": "pw", "limits": {"max_queries_per_hour": -1}}, "users[0].limits.max_queries_per_hour:"),
        (MYSQL, {"name": "team", "attributes": ["ROLE"], "limits": {"max_user_connections": 1}}, "users[0].limits:"),
        (MYSQL, {"name": "team", "attributes": ["ROLE"], "tls_requires": "ssl"}, "users[0].tls_requires:"),
        (MYSQL, {"attributes": ["ROLE"]}, "users[0].attributes: blog@% is a user"),
    ],
)
def test_what_the_server_would_refuse_in_the_middle(engine: str, user: dict[str, Any], says: str) -> None:
    assert refusal(state(engine), **user).startswith(says)


SCRAM = f"SCRAM-SHA-256$4096:{'A' * 24}${'A' * 44}:{'A' * 44}"


@pytest.mark.parametrize(
    ("engine", "had", "user", "says"),
    [
        (
            MYSQL,
            {"plugin": "sha256_password", "password": UNKNOWN},
            {"password": "pw"},
            "users[0].password: blog@% logs",
        ),
        (MARIADB, {"plugin": "unix_socket", "password": UNKNOWN}, {"password": "pw"}, "users[0].password: blog@% logs"),
        (
            MYSQL,
            {"attributes": frozenset({ROLE, LOCKED})},
            {"attributes": ["NOROLE"]},
            "users[0].name: blog@% is a role",
        ),
        (MYSQL, {"attributes": frozenset({ROLE, LOCKED})}, {"password": "pw"}, "users[0].name: blog@% is a role"),
        (
            MARIADB,
            {},
            {"name": "team", "attributes": ["ROLE", "LOCKED"]},
            "users[0].attributes: a role can't be locked",
        ),
        (
            MYSQL,
            {},
            {"name": "team", "attributes": ["ROLE", "UNLOCKED"]},
            "users[0].attributes: a role is always locked",
        ),
        (MARIADB, {}, {"name": "team", "host": "10.%", "attributes": ["ROLE"]}, "users[0].host: a role has no host"),
        (
            MARIADB,
            {},
            {"plugin": "ed25519", "password_hash": "*" + "A" * 40},
            "users[0].password_hash: it is what mysql",
        ),
        (POSTGRESQL, {}, {"plugin": "md5", "password_hash": SCRAM}, "users[0].password_hash: it is what scram-sha-256"),
        # Told by a login.
        (
            MYSQL,
            {"plugin": "sha256_password", "password": DIFFERS, "checked_by": "login"},
            {"password": "pw"},
            "users[0].password: blog@% logs in by sha256_password, and a password of that can't be made here.",
        ),
        (
            MARIADB,
            {"plugin": "unix_socket", "password": DIFFERS, "checked_by": "login"},
            {"password": "pw"},
            "users[0].password: blog@% logs in by unix_socket, and a password of that",
        ),
        (
            MARIADB,
            {"plugin": "ed25519", "rivals": (NATIVE,), "password": DIFFERS},
            {"password": "pw"},
            "users[0].password: blog@% logs in by ed25519 or mysql_native_password, and each keeps something else.",
        ),
        (
            MARIADB,
            {"plugin": "ed25519", "rivals": (NATIVE,), "password": DIFFERS},
            {"password_hash": "*" + "A" * 40},
            "users[0].password_hash: blog@% logs in by ed25519 or",
        ),
    ],
)
def test_what_would_never_come_true(engine: str, had: dict[str, Any], user: dict[str, Any], says: str) -> None:
    assert refusal(state(engine, **had), **user).startswith(says)


def test_a_password_that_cannot_be_compared_may_be_left_or_replaced() -> None:
    found = state(MARIADB, plugin="unix_socket", password=UNKNOWN)
    assert not planned(found, password="pw", update_password="on_create")
    assert planned(found, password="pw", plugin="ed25519") == ["set_password"]
    assert not planned(state(MARIADB, plugin="unix_socket", password=UNKNOWN, checked_by="login"), password="pw")


@pytest.mark.parametrize(
    ("user", "how"),
    [
        ({"password": "pw"}, f"unix_socket OR {NATIVE} USING '(secret)' OR gssapi"),
        ({"password": "pw", "plugin": "ed25519"}, "unix_socket OR ed25519 USING '(secret)' OR gssapi"),
        ({"plugin": "unix_socket"}, "unix_socket OR gssapi"),
    ],
)
def test_ways_to_log_in_that_keep_nothing_stay(user: dict[str, Any], how: str) -> None:
    found = state(MARIADB, plugin=NATIVE, password=DIFFERS, ways=("unix_socket", NATIVE, "gssapi"))
    (action,) = plan(parse(params(users=[{"name": "blog", **user}])), found).actions
    (statement,) = render(action.detail, mariadb=True)
    assert str(statement) == f"ALTER USER 'blog'@'%' IDENTIFIED VIA {how}"


def test_an_empty_password_is_none_of_the_ways_that_stay() -> None:
    ways = ((NATIVE, b""), ("unix_socket", b""), ("pam", b"mariadb"), ("ed25519", b"kept"))
    found = Account("blog", "%", ways, frozenset(), {}, "none", former=False, restricted={}, seen=True)
    assert (found.own[0], found.lasting, found.rivals) == ("ed25519", ("unix_socket", "ed25519"), ("pam",))
    found = replace(found, ways=ways[:2])
    assert (found.own[0], found.lasting, found.rivals) == (NATIVE, (NATIVE, "unix_socket"), ())


@pytest.mark.parametrize("user", [{"password": "pw", "plugin": "ed25519"}, {"password": "pw", "plugin": NATIVE}])
def test_who_names_a_plugin_says_which_password_there_is(user: dict[str, Any]) -> None:
    found = state(MARIADB, plugin="ed25519", rivals=(NATIVE,), password=DIFFERS)
    assert planned(found, **user) == ["set_password"]
    assert not planned(state(MARIADB, plugin="ed25519", rivals=(NATIVE,)), password="pw")


def test_a_role_of_mariadb_goes_by_its_name() -> None:
    role = User(Grantee("blog"), attributes=frozenset({ROLE}))
    both = state(MARIADB)
    alone = replace(both, users={role.grantee: role})
    both = replace(both, users={**both.users, role.grantee: role})
    assert planned(alone, state="absent") == ["drop"]
    assert planned(both, state="absent") == ["drop", "drop"]
    assert not planned(alone, state="absent", host="10.%")
    users = [{"name": "blog", "state": "absent"}, {"name": "blog", "host": "::1", "state": "absent"}]
    assert len(plan(parse(params(users=users)), alone).actions) == 1


@pytest.mark.parametrize(
    ("engine", "name", "refused"),
    [
        (MYSQL, "INFORMATION_SCHEMA", True),
        (MYSQL, "Performance_Schema", True),
        (MARIADB, "Information_Schema", True),
        (MARIADB, "Performance_Schema", False),
        (MYSQL, "SYS", False),
        (POSTGRESQL, "INFORMATION_SCHEMA", False),
    ],
)
def test_databases_of_the_servers_own_in_any_case(engine: str, name: str, refused: bool) -> None:
    found = replace(state(engine), version=(17, 0))
    task = parse(params(databases=[{"name": name}]))
    if not refused:
        assert plan(task, found)
        return
    with pytest.raises(FlatrunError) as error:
        plan(task, found)
    assert error.value.sentence().startswith(f"databases[0].name: {name} belongs to the server itself")


def granted(found: State, **grant: Any) -> list[str]:
    given = {"user": "blog", "database": "shop", **grant}
    return [action.verb for action in plan(parse(params(grants=[given])), found).actions]


@pytest.mark.parametrize(
    ("kind", "name", "privilege", "there"),
    [
        ("table", "pages", "SELECT", True),
        ("table", "missing", "SELECT", False),
        ("table", "missing", "CREATE", True),
        ("table", "pages", "SELECT (id)", True),
        ("table", "pages", "SELECT (no)", False),
        ("procedure", "sum_up", "EXECUTE", True),
        ("function", "sum_up", "EXECUTE", False),
    ],
)
def test_grants_on_what_is_not_there(kind: str, name: str, privilege: str, there: bool) -> None:
    objects = frozenset(
        {
            Target("table", "shop", name="pages"),
            Target("column", "shop", name="pages", column="id"),
            Target("procedure", "shop", name="sum_up"),
        }
    )
    found = replace(state(MYSQL), objects=objects)
    grant = {"object_type": kind, "objects": [name], "privileges": [privilege]}
    if there:
        assert granted(found, **grant) == ["grant"]
        return
    with pytest.raises(FlatrunError, match=r"^grants\[0\].objects: there is no "):
        granted(found, **grant)
    assert not granted(found, **grant, state="absent")
    assert granted(replace(found, objects=None), **grant) == ["grant"]


@pytest.mark.parametrize("engine", [MYSQL, MARIADB])
def test_a_membership_in_a_role_that_is_not_there(engine: str) -> None:
    found = replace(state(engine), objects=frozenset())
    grant = {"user": "blog", "object_type": "role", "objects": ["team"]}
    with pytest.raises(FlatrunError, match=r"^grants\[0\].objects: there is no role team"):
        plan(parse(params(grants=[grant])), found)
    team = {"name": "team", "attributes": ["ROLE"]}
    assert plan(parse(params(users=[team], grants=[grant])), found)
    role = Grantee("team", "" if engine == MARIADB else "%")
    known = replace(found, users={**found.users, role: User(role, attributes=frozenset({ROLE}))})
    assert plan(parse(params(grants=[grant])), known)


@pytest.mark.parametrize(
    ("database", "says"),
    [
        ({"encoding": "LATIN1"}, "databases[0].encoding: en_US.utf8 is a locale of UTF8, and not of LATIN1"),
        ({"encoding": "LATIN1", "collation": "C"}, ""),
        ({"encoding": "SQL_ASCII"}, ""),
        ({"collation": "de"}, "databases[0].collation: de is a locale of LATIN1, and not of UTF8"),
        ({"collation": "de", "encoding": "LATIN1"}, ""),
        ({"collation": "xx"}, "databases[0].collation: 'xx' is not a locale of this server"),
        ({"collation": "C", "template": "tpl"}, "databases[0].template: tpl has UTF8 and en_US.utf8"),
        ({"collation": "C", "template": "template0"}, ""),
        ({"encoding": "UTF8", "template": "tpl"}, ""),
        ({"collation": "en_US.UTF-8", "template": "tpl"}, ""),
        ({"collation": "en_GB.UTF-8", "template": "tpl"}, "databases[0].collation: 'en_GB.UTF-8' is not a locale"),
    ],
)
def test_locales_that_fit(database: dict[str, Any], says: str) -> None:
    databases = {name: Database(name, "a", "UTF8", "en_US.utf8") for name in ("template0", "tpl")}
    encodings = dict.fromkeys(["UTF8", "LATIN1", "SQL_ASCII"], "")
    locales = {"en_US.utf8": "UTF8", "C": "", "de": "LATIN1"}
    found = replace(state(POSTGRESQL), version=(17, 0), databases=databases, collations=encodings, locales=locales)
    task = parse(params(databases=[{"name": "shop", **database}]))
    if not says:
        assert plan(task, found)
        return
    with pytest.raises(FlatrunError) as error:
        plan(task, found)
    assert error.value.sentence().startswith(says)


@pytest.mark.parametrize(
    ("collation", "same"),
    [("en_US.utf8", True), ("en_US.UTF-8", True), ("en_US.Utf-8", True), ("en_GB.utf8", False), ("en_US", False)],
)
def test_a_locale_is_the_same_in_each_spelling(collation: str, same: bool) -> None:
    shop = Database("shop", "blog", "UTF8", "en_US.utf8")
    found = replace(state(POSTGRESQL), version=(17, 0), databases={"shop": shop})
    task = parse(params(databases=[{"name": "shop", "collation": collation}]))
    if same:
        assert not plan(task, found)
        return
    with pytest.raises(FlatrunError, match=r"^databases\[0\]\.collation: shop has en_US\.utf8, and PostgreSQL can't"):
        plan(task, found)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"collation": "utf8_General_ci"}, ("utf8mb3", "utf8mb3_general_ci")),
        ({"collation": "utf8_general_ci", "encoding": "utf8"}, ("utf8mb3", "utf8mb3_general_ci")),
        ({"collation": "utf8_swedish_ci"}, ("utf8mb3", "utf8_swedish_ci")),
        ({"collation": "uca1400_ai_ci", "encoding": "utf8mb4"}, ("utf8mb4", "utf8mb4_uca1400_ai_ci")),
        ({"collation": "utf8_uca1400_ai_ci"}, ("utf8mb3", "utf8mb3_uca1400_ai_ci")),
        ({"collation": "uca1400_ai_ci"}, "databases[0].collation: uca1400_ai_ci is of several character sets"),
        ({"collation": "uca1400_ai_ci", "encoding": "latin1"}, "databases[0].collation: 'latin1_uca1400_ai_ci' is not"),
        ({"collation": "general_ci", "encoding": "utf8mb4"}, "databases[0].collation: 'general_ci' is not"),
        ({"collation": "utf8_general_ci", "encoding": "utf8mb4"}, "databases[0].collation: utf8mb3_general_ci is not"),
    ],
)
def test_collations_by_another_name(given: dict[str, Any], says: Any) -> None:
    known = ("utf8mb3_general_ci", "utf8mb4_general_ci", "utf8mb3_uca1400_ai_ci", "utf8mb4_uca1400_ai_ci")
    # As in MySQL before 8.0.30.
    collations = {
        **{name: name.partition("_")[0] for name in known},
        "utf8_swedish_ci": "utf8mb3",
        "latin1_bin": "latin1",
    }
    found = replace(state(MARIADB), collations=collations, shared_collations=frozenset({"uca1400_ai_ci"}))
    task = parse(params(databases=[{"name": "shop", **given}]))
    if isinstance(says, str):
        with pytest.raises(FlatrunError) as error:
            plan(task, found)
        assert error.value.sentence().startswith(says)
        return
    there = replace(found, databases={"shop": Database("shop", "", *says)})
    assert plan(task, found)
    assert not plan(task, there)


@pytest.mark.parametrize(
    ("grant", "lacks"),
    [
        ({"privileges": ["INSERT", "SELECT"]}, "INSERT on database s_p"),
        ({"privileges": ["ALL"]}, "DROP, INSERT on database s_p"),
        ({"privileges": ["INSERT"], "object_type": "server", "database": None}, "INSERT on database s_p"),
        ({"privileges": ["SELECT"]}, ""),
        ({"privileges": ["INSERT"], "database": "wiki"}, ""),
        ({"privileges": ["INSERT"], "object_type": "table", "objects": ["t"]}, ""),
    ],
)
def test_a_partial_revoke_is_not_lifted(grant: dict[str, Any], lacks: str) -> None:
    found = state(MYSQL, restricted={"s_p": frozenset({"INSERT", "DROP"})})
    given = {"user": "blog", "database": "s_p", **grant}
    for task in ({}, {"grants_mode": "exclusive"}):
        if lacks:
            with pytest.raises(FlatrunError) as error:
                plan(parse(params(grants=[given], **task)), found)
            assert error.value.sentence().startswith(f"grants[0]: a partial revoke keeps {lacks} from blog@%. Lift ")
        else:
            assert plan(parse(params(grants=[given], **task)), found)
    assert not plan(parse(params(grants=[given], grants_mode="subtract")), found)
    assert not plan(parse(params(grants=[{**given, "state": "absent"}])), found)
    owned = [{"name": "s_p", "owner": "blog"}]
    with pytest.raises(FlatrunError, match=r"^databases\[0\]: a partial revoke keeps DROP, INSERT on "):
        plan(parse(params(databases=owned, grants_mode="subtract")), found)


def test_a_role_stays_one() -> None:
    assert not planned(state(MYSQL, attributes=frozenset({ROLE})), attributes=["ROLE"])


def test_a_hash_of_a_plugin_that_is_not_loaded() -> None:
    found = state(MYSQL)
    found = State(MYSQL, reached=True, users=found.users, plugins=frozenset({"caching_sha2_password"}))
    assert refusal(found, password_hash="*" + "A" * 40).startswith("users[0].password_hash: it is what")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("utf-8", "UTF8"),
        ("unicode", "UTF8"),
        ("euc-jp", "EUC_JP"),
        ("SQLASCII", "SQL_ASCII"),
        ("iso_8859_5", "ISO_8859_5"),
    ],
)
def test_encodings_have_the_servers_names(given: str, name: str) -> None:
    assert encoding(given, ["UTF8", "EUC_JP", "SQL_ASCII", "ISO_8859_5"]) == name
    assert encoding("klingon", ["UTF8"]) == "klingon"


def test_certificates_that_cannot_be_read_are_named() -> None:
    for key, tls in (("ca_cert", {"ca": "/nowhere.pem"}), ("client_cert", {"certificate": "/nowhere.pem"})):
        endpoint = Endpoint("mysql", "192.0.2.1", 3306, "", "x", (), "", 1, Tls("verify-full", **tls), "x")
        with pytest.raises(FlatrunError) as error:
            Session(endpoint)
        assert error.value.sentence().startswith(f"{key}: /nowhere.pem can't be read (")


def test_names_that_the_server_folds_into_one() -> None:
    found = State(MYSQL, reached=True, folds_case=True)
    with pytest.raises(FlatrunError) as error:
        plan(parse(params(databases=[{"name": "Shop"}, {"name": "shop"}])), found)
    assert error.value.sentence().startswith("databases: the database 'shop' is listed twice")


def test_a_server_that_is_not_there_yet_is_foreseen_as_one_of_today() -> None:
    absent = State(POSTGRESQL, reached=False, words="it does not exist")
    users = [{"name": "r", "attributes": ["ROLE"]}, {"name": "s", "attributes": ["NOROLE"], "password": "pw"}]
    for count, copied in ((1, 0), (128, 128)):
        databases = [{"name": f"d{number}", "owner": "r"} for number in range(count)]
        task = parse(params(databases=databases, users=users))
        found = report(task, absent, plan(task, absent))["statements"]
        assert found[:2] == ['CREATE ROLE "r" NOLOGIN', "CREATE ROLE \"s\" LOGIN PASSWORD '(secret)'"]
        assert not any("ALTER SCHEMA public" in statement for statement in found)
        assert sum("STRATEGY FILE_COPY" in statement for statement in found) == copied
