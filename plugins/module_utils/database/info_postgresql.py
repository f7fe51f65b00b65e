# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of PostgreSQL to tell about it."""

from __future__ import annotations

# What was granted on each object, but for databases without what holds where nothing was.
_OBJECTS = """
SELECT 'database' AS kind, datname::text AS place, '' AS name, coalesce(datacl, acldefault('d', datdba)) AS acl
FROM pg_database
UNION ALL SELECT i.kind, current_database()::text, concat_ws('.', n.nspname, i.name), i.acl FROM (
SELECT 'schema' AS kind, oid AS place, NULL AS name, nspacl AS acl FROM pg_namespace
UNION ALL SELECT CASE relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, relnamespace, relname, relacl FROM pg_class
UNION ALL SELECT 'column', c.relnamespace, c.relname || '.' || a.attname, a.attacl
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE NOT a.attisdropped
UNION ALL SELECT CASE prokind WHEN 'p' THEN 'procedure' ELSE 'function' END, pronamespace,
proname || '(' || oidvectortypes(proargtypes) || ')', proacl FROM pg_proc
UNION ALL SELECT 'type', typnamespace, typname, typacl FROM pg_type
UNION ALL SELECT CASE d.defaclobjtype WHEN 'r' THEN 'default_tables' WHEN 'S' THEN 'default_sequences'
WHEN 'f' THEN 'default_functions' WHEN 'T' THEN 'default_types' WHEN 'n' THEN 'default_schemas' END,
nullif(d.defaclnamespace, 0), r.rolname, d.defaclacl FROM pg_default_acl d JOIN pg_roles r ON r.oid = d.defaclrole
) i LEFT JOIN pg_namespace n ON n.oid = i.place
WHERE i.kind IS NOT NULL AND (n.oid IS NULL OR (n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'))
"""
# Whether a membership lets one have or take on what the role may. Before PostgreSQL 16 each does, without such columns.
_USEFUL = """coalesce((to_jsonb(a) ->> 'inherit_option')::boolean, true)
OR coalesce((to_jsonb(a) ->> 'set_option')::boolean, true)"""
QUERIES = {
    "databases": """
SELECT d.datname AS name, r.rolname AS owner, pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS collation,
CASE WHEN has_database_privilege(d.datname, 'CONNECT') THEN pg_database_size(d.oid) END AS size_bytes
FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba ORDER BY 1
""",
    "users": """
SELECT rolname AS name, '' AS host, NOT rolcanlogin AS role, rolsuper AS superuser, rolcreatedb AS createdb,
rolcreaterole AS createrole, rolreplication AS replication, rolconnlimit AS connection_limit,
rolvaliduntil AS valid_until FROM pg_roles ORDER BY 1
""",
    "grants": f"""
SELECT coalesce(r.rolname, 'PUBLIC') AS "user", o.kind AS object_type, o.place AS database, o.name AS object,
a.privilege_type AS privilege, bool_or(a.is_grantable) AS grantable
FROM ({_OBJECTS}) o CROSS JOIN LATERAL aclexplode(o.acl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
GROUP BY 1, 2, 3, 4, 5
UNION ALL SELECT m.rolname, 'role', '', r.rolname, CASE WHEN bool_or({_USEFUL}) THEN 'MEMBER' ELSE 'DORMANT' END,
bool_or(a.admin_option) FROM pg_auth_members a
JOIN pg_roles m ON m.oid = a.member JOIN pg_roles r ON r.oid = a.roleid GROUP BY 1, 2, 3, 4
ORDER BY 1, 2, 3, 4, 5
""",
}
TABLES = """
SELECT n.nspname AS schema, c.relname AS name,
CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'
ELSE 'base table' END AS kind, greatest(c.reltuples, 0)::bigint AS estimated_rows,
pg_total_relation_size(c.oid) AS size_bytes
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY 1, 2
"""
COLUMNS = """
SELECT n.nspname AS schema, c.relname AS "table", a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
NOT a.attnotnull AS nullable, pg_get_expr(d.adbin, d.adrelid) AS "default",
EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND a.attnum = ANY(i.indkey)) AS key
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY 1, 2, a.attnum
"""
