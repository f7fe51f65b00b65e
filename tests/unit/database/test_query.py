"""Where a statement ends, and which statements are not to be run."""

from __future__ import annotations

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import MARIADB, MYSQL, POSTGRESQL
from ansible_collections.flatrun.infra.plugins.module_utils.database.plan_lexer import Sql, split
from ansible_collections.flatrun.infra.plugins.module_utils.database.plan_query import (
    Arguments,
    arguments_of,
    check,
    check_bound,
    check_places,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("engine", "script", "statements"),
    [
        (MYSQL, "SELECT 1; SELECT 2;", ["SELECT 1", "SELECT 2"]),
        (MYSQL, "SELECT 'a;b', \"c;d\", `e;f`", ["SELECT 'a;b', \"c;d\", `e;f`"]),
        (MYSQL, r"SELECT 'a\';b'", [r"SELECT 'a\';b'"]),
        (MYSQL, "SELECT 1 # ; DROP\n; SELECT 2", ["SELECT 1 # ; DROP", "SELECT 2"]),
        (MARIADB, "SELECT /* ; */ 1", ["SELECT /* ; */ 1"]),
        (POSTGRESQL, r"SELECT 'a\'; SELECT 2", [r"SELECT 'a\'", "SELECT 2"]),
        (POSTGRESQL, r"SELECT E'a\';b'", [r"SELECT E'a\';b'"]),
        (POSTGRESQL, "SELECT $$a;b$$, $x$c;$$;d$x$", ["SELECT $$a;b$$, $x$c;$$;d$x$"]),
        (POSTGRESQL, "SELECT /* ; /* ; */ ; */ 1", ["SELECT /* ; /* ; */ ; */ 1"]),
        (POSTGRESQL, 'SELECT ";" -- ; DROP', ['SELECT ";" -- ; DROP']),
        (POSTGRESQL, "-- nothing\n; ;", []),
        (POSTGRESQL, "SELECT 1 AS x$b$; SELECT 1 AS y$b$", ["SELECT 1 AS x$b$", "SELECT 1 AS y$b$"]),
        (POSTGRESQL, "SELECT \u00e4$$; SELECT \u00e4$$", ["SELECT \u00e4$$", "SELECT \u00e4$$"]),
        (POSTGRESQL, "SELECT 1$b$;$b$; SELECT 2", ["SELECT 1$b$;$b$", "SELECT 2"]),
        (POSTGRESQL, "SELECT $\u00b7$;$\u00b7$; SELECT 2", ["SELECT $\u00b7$;$\u00b7$", "SELECT 2"]),
        (POSTGRESQL, "SELECT $a$;$b$a$; SELECT 2", ["SELECT $a$;$b$a$", "SELECT 2"]),
        (POSTGRESQL, "SELECT 1 --\r; SELECT 2", ["SELECT 1 --", "SELECT 2"]),
        (POSTGRESQL, "SELECT xe'\\'; SELECT 2", ["SELECT xe'\\'", "SELECT 2"]),
        (POSTGRESQL, "SELECT 1e'\\';'", ["SELECT 1e'\\';'"]),
        (POSTGRESQL, "SELECT E'a' -- '\n '\\';'; SELECT 2", ["SELECT E'a' -- '\n '\\';'", "SELECT 2"]),
        (POSTGRESQL, "SELECT U&'\\'; SELECT 2", ["SELECT U&'\\'", "SELECT 2"]),
        (POSTGRESQL, "SELECT 1\u00a0; SELECT 2", ["SELECT 1\u00a0", "SELECT 2"]),
        (MYSQL, "SELECT 1 --1; SELECT 2", ["SELECT 1 --1", "SELECT 2"]),
        (MYSQL, "SELECT 1 --\u00a0; SELECT 2", ["SELECT 1 --\u00a0", "SELECT 2"]),
        (MYSQL, "SELECT 1 --\t; SELECT 2", ["SELECT 1 --\t; SELECT 2"]),
        (MYSQL, "SELECT 1 --\x01\r; SELECT 2", ["SELECT 1 --\x01\r; SELECT 2"]),
        (MYSQL, "SELECT 1 --", ["SELECT 1 --"]),
        (MYSQL, "SELECT $$;SELECT $$", ["SELECT $$", "SELECT $$"]),
        (MARIADB, "SELECT 1 /*/;*/; SELECT 2", ["SELECT 1 /*/;*/", "SELECT 2"]),
    ],
)
def test_statements_end_where_the_server_ends_them(engine: str, script: str, statements: list[str]) -> None:
    assert [each.text for each in split(script, engine, "query")] == statements


@pytest.mark.parametrize("engine", [MYSQL, MARIADB, POSTGRESQL])
@pytest.mark.parametrize(
    "script",
    [
        *("commit", "/* c */ BEGIN", "(rollback)", "SET x = 1", "reset all", "flush tables", "kill 1", "copy t to 'f'"),
        *(
            "DO 1",
            "load data infile 'x' into table t",
            "insert into t values (1)",
            "analyze t",
            "call p()",
            "drop table t",
        ),
        *(
            "select 1 into outfile 'x'",
            "select 1 into\n/* c */ dumpfile 'x'",
            "explain analyze delete from t",
            "desc analyze delete from t",
            "describe (analyze) delete from t",
            "select 1.5into outfile 'x'",
            "select 1e+5into dumpfile 'x'",
            "show_: begin not atomic commit; end",
            "\u017felect: begin not atomic commit; end",
            "lock tables t write",
            "xa start 'x'",
        ),
    ],
)
def test_what_writes_is_refused_by_name(engine: str, script: str) -> None:
    statement = split(script, engine, "query")[0]
    with pytest.raises(InvalidParameter):
        check(statement, True, "query")


@pytest.mark.parametrize("script", ["SELECT '", 'SELECT "', "SELECT /* a", "SELECT 'a''"])
def test_what_is_never_closed_is_refused(script: str) -> None:
    for engine in (MYSQL, MARIADB, POSTGRESQL):
        with pytest.raises(InvalidParameter):
            split(script, engine, "query")


@pytest.mark.parametrize("script", ["SELECT $$ '", "SELECT $a$ $b$", "SELECT E'\\'", "SELECT e'a''\\'"])
def test_what_postgresql_alone_would_close_is_refused(script: str) -> None:
    with pytest.raises(InvalidParameter):
        split(script, POSTGRESQL, "query")


@pytest.mark.parametrize(
    "script", ["SELECT 1 /*! INTO OUTFILE 'x' */", "SELECT 1 /*M! , 2 */", "SELECT 1 /*!99999 x */"]
)
def test_a_comment_that_would_be_run_is_refused(script: str) -> None:
    for engine in (MYSQL, MARIADB):
        with pytest.raises(InvalidParameter):
            split(script, engine, "query")


@pytest.mark.parametrize(
    ("script", "arguments", "named"),
    [
        ("SELECT '%s'", (1,), "query"),
        ("SELECT 1 -- %s", (1,), "query"),
        ("SELECT 1", (1,), "positional_args[0]"),
        ("SELECT '%%s'", (1,), "positional_args[0]"),
        ("SELECT %(a)s", {"a": 1, "b": 2}, "named_args.b"),
    ],
)
def test_arguments_have_their_places(script: str, arguments: Arguments, named: str) -> None:
    with pytest.raises(InvalidParameter) as error:
        check_places(split(script, MYSQL, "query"), arguments, "query")
    assert error.value.where == named


@pytest.mark.parametrize(
    ("statement", "arguments", "taken"),
    [
        ("SELECT 'a%%'", (1,), ()),
        ("SELECT 'a%%', %s", (1,), (1,)),
        ("SELECT 'a%%'", {"a": 1}, {"a": 1}),
        ("SELECT 5 % 2", (1,), (1,)),
        ("SELECT 'a%%'", None, ()),
    ],
)
def test_a_statement_takes_arguments_where_it_has_a_place(
    statement: str, arguments: Arguments, taken: Arguments
) -> None:
    assert arguments_of(Sql(statement, statement), arguments) == taken


def test_bound_arguments_are_looked_at() -> None:
    check_places(split("SELECT %(a)s; SELECT %(b)s, 'a%%'", MYSQL, "query"), {"a": 1, "b": 2}, "query")
    check_bound("SELECT ';'", MYSQL, True)
    for text in ("SELECT 1; SELECT 2", "SELECT '' INTO OUTFILE '/x'", "COMMIT"):
        with pytest.raises(InvalidParameter):
            check_bound(text, MYSQL, True)


@given(st.text(alphabet="ab '\";`\\$/*-#\n\rE\u00e4", max_size=40))
def test_no_text_is_lost_or_made_up(script: str) -> None:
    for engine in (MYSQL, POSTGRESQL):
        try:
            found = split(script, engine, "query")
        except InvalidParameter:
            continue
        rest = script
        for each in found:
            assert each.text in rest
            rest = rest[rest.index(each.text) + len(each.text) :]
