# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What PostgreSQL keeps inside a database, read in one statement."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.database.model import PUBLIC, Grantee, Inside, Target
from ansible_collections.flatrun.infra.plugins.module_utils.database.postgresql_session import Session
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import ABSENT, EXCLUSIVE, Task

# The server's own objects are there for everybody, so of them only what somebody was granted beside that is a right.
# The parts of the statement: kind, schema, name, column, owner and rights of each object, and whether it is an
# extension's.
_SCHEMAS = """
SELECT 'schema', n.nspname, ''::text, ''::text, n.nspowner, coalesce(n.nspacl, acldefault('n', n.nspowner)), false
FROM seen n
"""


def _brought(table: str, oid: str) -> str:
    return f"""EXISTS (SELECT FROM pg_depend d
WHERE d.classid = '{table}'::regclass AND d.objid = {oid} AND d.objsubid = 0 AND d.deptype = 'e')"""


_RELATIONS = f"""
SELECT CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, n.nspname, c.relname, '', c.relowner,
coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r'::"char" END, c.relowner)),
{_brought("pg_class", "c.oid")}
FROM pg_class c JOIN seen n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
"""
_COLUMNS = """
SELECT 'column', n.nspname, c.relname, a.attname, c.relowner, a.attacl, false
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN seen n ON n.oid = c.relnamespace
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
"""
_ROUTINES = f"""
SELECT CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END, n.nspname,
p.proname || '(' || oidvectortypes(p.proargtypes) || ')', '', p.proowner,
coalesce(p.proacl, acldefault('f', p.proowner)), {_brought("pg_proc", "p.oid")}
FROM pg_proc p JOIN seen n ON n.oid = p.pronamespace
"""
_TYPES = f"""
SELECT 'type', n.nspname, t.typname, '', t.typowner, coalesce(t.typacl, acldefault('T', t.typowner)),
{_brought("pg_type", "t.oid")}
FROM pg_type t JOIN seen n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE t.typelem = 0 AND (c.relkind IS NULL OR c.relkind = 'c')
"""
# Without an entry of its own, a role's future objects have the usual rights, unless they are those of one schema.
_FUTURE = """
SELECT CASE k.kind WHEN 'r' THEN 'default_tables' WHEN 'S' THEN 'default_sequences' WHEN 'f' THEN 'default_functions'
WHEN 'T' THEN 'default_types' ELSE 'default_schemas' END, coalesce(n.nspname, ''), r.rolname, '', r.oid,
coalesce(d.defaclacl, CASE WHEN n.oid IS NULL
THEN acldefault(CASE k.kind WHEN 'S' THEN 's' ELSE k.kind END::"char", r.oid) END), false
FROM pg_roles r CROSS JOIN unnest('{r,S,f,T,n}'::"char"[]) k(kind)
CROSS JOIN (SELECT oid, nspname FROM seen UNION ALL SELECT NULL, NULL) n
LEFT JOIN pg_default_acl d ON d.defaclrole = r.oid AND d.defaclobjtype = k.kind
AND d.defaclnamespace = coalesce(n.oid, 0)
WHERE (r.rolname = ANY(%(owners)s) OR d.oid IS NOT NULL) AND (n.oid IS NULL OR k.kind <> 'n')
"""
_PARTS = {
    "table": _RELATIONS,
    "sequence": _RELATIONS,
    "function": _ROUTINES,
    "procedure": _ROUTINES,
    "type": _TYPES,
}
_ALL = """
WITH named AS (SELECT oid FROM pg_roles WHERE rolname = ANY(%(names)s)),
seen AS (SELECT * FROM pg_namespace
WHERE (nspname !~ '^pg_' AND nspname <> 'information_schema') OR nspname = ANY(%(schemas)s)
OR (%(exclusive)s AND nspname IN ('pg_catalog', 'information_schema'))),
objects (kind, place, name, part, owner, acl, brought) AS ({parts})
SELECT b.kind, b.place, b.name, b.part, o.rolname, a.grantee = 0, r.rolname, a.privilege_type,
bool_or(a.is_grantable OR a.grantee = b.owner), array_agg(g.rolname) FILTER (WHERE a.grantor <> b.owner), b.brought
FROM objects b
JOIN pg_roles o ON o.oid = b.owner
LEFT JOIN LATERAL (SELECT * FROM aclexplode(b.acl) e WHERE e.grantee = 0 OR e.grantee = b.owner
OR e.grantee IN (SELECT oid FROM named) OR (e.grantor <> b.owner AND e.grantor IN (SELECT oid FROM named))) a ON true
LEFT JOIN pg_roles r ON r.oid = a.grantee
LEFT JOIN pg_roles g ON g.oid = a.grantor
WHERE b.place NOT IN ('pg_catalog', 'information_schema') OR b.place = ANY(%(schemas)s)
OR (a.grantee <> b.owner AND a.grantee IN (SELECT oid FROM named))
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 11
"""
_CONTENTS = """
SELECT n.nspname, pg_describe_object(d.classid, d.objid, 0) FROM pg_depend d
JOIN pg_namespace n ON d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid
WHERE n.nspname = ANY(%s) AND d.deptype = 'n' ORDER BY 1, 2
"""
_OWNER = """
SELECT r.rolname FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE d.datname = current_database()
"""
_ROUTINE = re.compile(r"([^(]+)\(([\w\s,.\"\[\]]*)\)")
Grantors = dict[tuple[Grantee, Target, str], tuple[str, ...]]


def look_inside(session: Session, task: Task) -> tuple[Inside, Grantors]:
    """Extensions, objects and rights; the objects only of kinds that the task is about."""
    kinds = {grant.object_type for grant in task.grants if grant.database} - {"database"}
    if task.grants_mode == EXCLUSIVE:
        kinds |= {*_PARTS, "default_tables"}
    parts = [_SCHEMAS, *dict.fromkeys(_PARTS[kind] for kind in sorted(kinds) if kind in _PARTS)]
    parts += [_COLUMNS] if "table" in kinds else []
    parts += [_FUTURE] if any(kind.startswith("default_") for kind in kinds) else []
    owners = {name for grant in task.grants if grant.object_type.startswith("default_") for name in grant.objects}
    owners |= {each.owner for each in task.databases if each.owner} | {str(session.rows(_OWNER)[0][0])}
    rows = session.rows(
        _ALL.format(parts=" UNION ALL ".join(parts)),
        {
            "schemas": sorted({grant.schema for grant in task.grants if grant.schema}),
            "names": sorted({grant.user for grant in task.grants}),
            "owners": sorted(owners),
            "exclusive": task.grants_mode == EXCLUSIVE,
        },
    )
    found, grantors = _read(rows, session.database)
    extensions = frozenset(name for (name,) in session.rows("SELECT extname FROM pg_extension"))
    meant = _meant(session, task, found)
    contents = _contents(session, task)
    whole = Inside(extensions, found.objects, found.owners, found.rights, meant, contents, found.brought)
    return whole, grantors


def _contents(session: Session, task: Task) -> dict[str, tuple[str, ...]]:
    going = {schema.name for each in task.databases for schema in each.schemas if schema.state == ABSENT}
    found: dict[str, tuple[str, ...]] = {}
    for schema, what in session.rows(_CONTENTS, (sorted(going),)) if going else ():
        found[schema] = (*found.get(schema, ()), what)
    return found


def _read(rows: list[tuple[Any, ...]], database: str) -> tuple[Inside, Grantors]:
    objects: dict[Target, Grantee] = {}
    extensions: set[Target] = set()
    rights: dict[tuple[Grantee, Target], dict[str, bool]] = {}
    grantors: Grantors = {}
    for kind, schema, name, part, owner, public, role, privilege, grantable, others, brought in rows:
        target = Target(kind, database, schema, name, part)
        objects[target] = Grantee(owner)
        if brought:
            extensions.add(target)
        if privilege is None:
            continue
        grantee = PUBLIC if public else Grantee(role)
        rights.setdefault((grantee, target), {})[privilege] = grantable
        if others:
            grantors[grantee, target, privilege] = tuple(others)
    return Inside(frozenset(), frozenset(objects), objects, rights, brought=frozenset(extensions)), grantors


def _meant(session: Session, task: Task, found: Inside) -> dict[tuple[str, str, str], Target]:
    """Routines as tasks name them: without arguments where there is one of the name, or with types in any spelling."""
    meant: dict[tuple[str, str, str], Target] = {}
    for grant in task.grants:
        if grant.object_type not in ("function", "procedure") or grant.database != session.database:
            continue
        schema = grant.schema or "public"
        for text in grant.objects:
            parts = _ROUTINE.fullmatch(text)
            if parts:
                name = _canonical(session, schema, parts[1].strip(), parts[2])
                targets = [Target(grant.object_type, session.database, schema, name)]
            else:
                same = (each for each in found.objects if each.kind == grant.object_type and each.schema == schema)
                targets = [each for each in same if each.name.rpartition("(")[0] == text]
            if len(targets) == 1:
                meant[grant.object_type, schema, text] = targets[0]
    return meant


def _canonical(session: Session, schema: str, name: str, arguments: str) -> str:
    rows = session.rows(
        "SELECT p.proname || '(' || oidvectortypes(p.proargtypes) || ')' FROM pg_proc p"
        " WHERE p.oid = to_regprocedure(quote_ident(%s) || '.' || quote_ident(%s) || '(' || %s || ')')",
        (schema, name, arguments),
    )
    return str(rows[0][0]) if rows else f"{name}({arguments})"
