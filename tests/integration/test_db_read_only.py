"""What a server reads otherwise than one who looks for the end of a statement, and would write if it were run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Walk, walk
from ansible_collections.flatrun.infra.plugins.module_utils.database import plan_lexer, query, query_sessions
from ansible_collections.flatrun.infra.plugins.module_utils.database.arguments import QUERY
from ansible_collections.flatrun.infra.tests.integration.databases import GROUP, Server, filled

pytestmark = GROUP

_DROP = "COMMIT; DROP TABLE canary;"
_OFF = "SELECT set_config('standard_conforming_strings', 'off', false)"
POSTGRESQL = [
    f"SELECT 1 AS x$b$; {_DROP} SELECT 1 AS y$b$",
    f"SELECT 1 AS ä$b$; {_DROP} SELECT 1 AS ä$b$",
    f"SELECT $\u00b7$ ' $\u00b7$; {_DROP} SELECT ' '",
    f"SELECT $a$ $b$a$; {_DROP} SELECT $a$ $a$",
    f"SELECT 1$b$ ' $b$; {_DROP} SELECT ' '",
    f"SELECT 1 --\r; {_DROP}",
    f"SELECT 1 --\r; {_DROP} --\n",
    f"SELECT 1 AS xe'\\'; {_DROP} SELECT '",
    f"SELECT E'a' -- c\n '\\' || '; {_DROP} --'",
    f"SELECT U&'\\'; {_DROP} --'",
    f"SELECT U&'\\0041' /* /* */; {_DROP} -- */",
    f"SELECT /* /*/ */ */ 1; {_DROP}",
    f"SELECT 1 /**/; {_DROP} /* */",
    [_OFF, f"SELECT '\\''; {_DROP} --'"],
    [_OFF, "SELECT set_config('backslash_quote', 'on', false)", f"SELECT '\\''; {_DROP} --'"],
    [_OFF, f"SELECT 1 WHERE 'a' = '\\'; {_DROP} --'"],
    ["SELECT set_config('transaction_read_only', 'off', true)", "SELECT nextval('counted')"],
    ["SELECT set_config('flatrun.statement', 'COMMIT', false)", "SELECT nextval('counted')"],
    'EXPLAIN ("analyze") DELETE FROM canary',
    "WITH gone AS (DELETE FROM canary RETURNING 1) SELECT * FROM gone",
    "SELECT * INTO copied FROM canary",
]
_INTO = "INTO OUTFILE '/tmp/canary'"
MYSQL = [
    f"SELECT 42 --1 {_INTO}",
    f"SELECT 42 --\u00a0 1 {_INTO}",
    f"SELECT 1.5{_INTO}",
    f"SELECT 1e+5{_INTO}",
    f"SELECT 1 /*! {_INTO} */",
    f"SELECT 1 /*M! {_INTO} */",
    f"SELECT 1 /*!50000 {_INTO} */",
    f"SELECT 'a\\'' {_INTO}",
    f'SELECT "a\\"" {_INTO}',
    f"SELECT 1 AS `a\\` {_INTO}",
    f"SELECT 1 # ' \n {_INTO}",
    f"SELECT 1 /*/ */ {_INTO}",
    "SELECT 1 INTO /**/ DUMPFILE '/tmp/canary'",
    "DESC ANALYZE DELETE FROM canary",
    "ANALYZE DELETE FROM canary",
    "SHOW_: BEGIN NOT ATOMIC COMMIT; END",
    "\u017fELECT: BEGIN NOT ATOMIC COMMIT; END",
    "CALL gone()",
    "LOCK TABLES canary WRITE",
    "SELECT gone_by()",
]
_FUNCTION = "CREATE FUNCTION gone_by() RETURNS int DETERMINISTIC BEGIN DELETE FROM canary; RETURN 1; END"


@pytest.fixture
def kept(any_server: Server) -> Iterator[Server]:
    """With a table that has one row afterwards too, and no file beside it."""
    server, postgresql = any_server, any_server.is_postgresql
    server.run({"databases": [{"name": "cage"}]})
    server.say("CREATE TABLE canary (a int)", "INSERT INTO canary VALUES (1)", database="cage")
    server.say("CREATE SEQUENCE counted" if postgresql else _FUNCTION, database="cage")
    yield server
    assert server.ask("SELECT a FROM canary", database="cage") == [(1,)]
    if postgresql:
        assert server.ask("SELECT is_called FROM counted", database="cage") == [(False,)]
    else:
        (found,) = server.ask("SELECT LOAD_FILE('/tmp/canary'), LOAD_FILE(CONCAT(@@datadir, 'canary'))")
        assert found == (None, None)
    server.run({"databases": [{"name": "cage", "state": "absent", "force": True}]})


def ask(server: Server, statements: Any, check_mode: bool = False, **more: Any) -> dict[str, Any]:
    given = filled(QUERY.options, {**server.reached, "database": "cage", "query": statements, **more})
    return walk(query.ROOM, query.ROOM.parse(given), check_mode, Walk())


def attempt(server: Server, statements: Any, check_mode: bool, passed: list[str]) -> None:
    with suppress(FlatrunError):
        ask(server, statements, check_mode)
        passed.append(str(statements))


def test_nothing_rides_along(kept: Server) -> None:
    passed: list[str] = []
    for statements in POSTGRESQL if kept.is_postgresql else MYSQL:
        for check_mode in (False, True):
            attempt(kept, statements, check_mode, passed)
    # What is a comment to both.
    assert all("/* /* */" in each for each in passed)


def test_the_server_itself_takes_one_statement_alone(kept: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if nobody had looked for the end of a statement."""
    monkeypatch.setattr(query, "split", lambda script, _engine, _where: (plan_lexer.Sql(script, script),))
    monkeypatch.setattr(query.plan_query, "check", lambda *_given: None)
    monkeypatch.setattr(query_sessions, "check_bound", lambda *_given: None)
    passed: list[str] = []
    certain = [f"SELECT 1; {_DROP}", f"{_DROP} SELECT 1", "COMMIT", "DROP TABLE canary", "SELECT 1; SELECT 2"]
    for statements in [*certain, *(POSTGRESQL if kept.is_postgresql else ["SELECT gone_by()"])]:
        attempt(kept, statements, False, passed)
    assert not ({*certain} - {"COMMIT"}) & {*passed}


def test_what_reads_is_told_as_before(kept: Server) -> None:
    answers = {
        "SELECT 1 AS a -- ; DROP": [{"a": 1}],
        "(SELECT 1 AS a)": [{"a": 1}],
        "WITH w AS (SELECT 1 AS a) SELECT a, a FROM w": [{"a": 1, "a_2": 1}],
        "SELECT 'it''s; \u00e4\U0001f600' AS a": [{"a": "it's; \u00e4\U0001f600"}],
        "SELECT 1 AS a WHERE 1 = 0": [],
    }
    for statement, rows in answers.items():
        told = ask(kept, statement)
        assert (told["rows"], told["rowcount"]) == (rows, len(rows))
    counted = "SELECT 1 AS n UNION ALL SELECT 2 UNION ALL SELECT 3"
    told = ask(kept, [counted, "SELECT %s AS n"], positional_args=["%'\\"], max_rows=2)
    assert told["results"][0] == {"rows": [{"n": 1}, {"n": 2}], "columns": ["n"], "rowcount": 2, "truncated": True}
    assert told["rows"] == [{"n": "%'\\"}]
    for given in ({"positional_args": [1]}, {"named_args": {"a": 1}}):
        place = "%s" if "positional_args" in given else "%(a)s"
        told = ask(kept, ["SELECT '50%%' AS a", f"SELECT '%%', {place} AS a"], **given)
        assert [rows["rows"][0]["a"] for rows in told["results"]] == ["50%", 1]
    shown = "SHOW server_version" if kept.is_postgresql else "SHOW TABLES"
    assert len(ask(kept, shown)["rows"]) == 1
    assert ask(kept, "EXPLAIN SELECT 1")["rowcount"] >= 1


def test_arguments_have_their_places(kept: Server) -> None:
    refused: list[tuple[Any, dict[str, Any], str]] = [
        ("SELECT 1", {"positional_args": [5]}, "positional_args[0]"),
        ("SELECT %(a)s", {"named_args": {"a": 1, "b": 2}}, "named_args.b"),
        ("SELECT %s", {"positional_args": [1, 2]}, "placeholders"),
        ("SELECT '%s'", {"positional_args": [f" {_INTO}"]}, "without quotes"),
        ("SELECT 1 -- %s", {"positional_args": ["\n; COMMIT"]}, "without quotes"),
        ("SELECT 1 AS x\0", {}, "NUL"),
        ("SELECT '\udc80'", {}, "half a character"),
        ("SELECT %s", {"positional_args": [["\ud800"]]}, "half a character"),
    ]
    for statement, given, says in refused:
        with pytest.raises(FlatrunError) as error:
            ask(kept, statement, **given)
        assert says in error.value.sentence()
    both = ask(kept, ["SELECT %(a)s AS a", "SELECT %(b)s AS a"], named_args={"a": 1, "b": 2})
    assert [each["rows"] for each in both["results"]] == [[{"a": 1}], [{"a": 2}]]
