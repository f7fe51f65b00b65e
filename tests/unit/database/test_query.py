"""Where a statement ends, and which statements are not to be run."""

from __future__ import annotations

import pytest
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import InvalidParameter
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import MARIADB, MYSQL, POSTGRESQL
from ansible_collections.flatrun.infra.plugins.module_utils.database.plan_query import check, split
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
            "xa start 'x'",
        ),
    ],
)
def test_what_writes_is_refused_by_name(engine: str, script: str) -> None:
    statement = split(script, engine, "query")[0]
    with pytest.raises(InvalidParameter):
        check(statement, True, "query")


@pytest.mark.parametrize("script", ["SELECT '", 'SELECT "', "SELECT /* a"])
def test_what_is_never_closed_is_refused(script: str) -> None:
    for engine in (MYSQL, MARIADB, POSTGRESQL):
        with pytest.raises(InvalidParameter):
            split(script, engine, "query")


@pytest.mark.parametrize(
    "script", ["SELECT 1 /*! INTO OUTFILE 'x' */", "SELECT 1 /*M! , 2 */", "SELECT 1 /*!99999 x */"]
)
def test_a_comment_that_would_be_run_is_refused(script: str) -> None:
    for engine in (MYSQL, MARIADB):
        with pytest.raises(InvalidParameter):
            split(script, engine, "query")


@given(st.text(alphabet="ab '\";`\\$/*-#\nE", max_size=40))
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
