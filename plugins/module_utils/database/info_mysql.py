# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of MySQL and MariaDB to tell about them."""

from __future__ import annotations

from ansible_collections.flatrun.infra.plugins.module_utils.database.model import MARIADB, MYSQL
from ansible_collections.flatrun.infra.plugins.module_utils.database.mysql_accounts import IS_ROLE

_DATABASES = """
SELECT s.SCHEMA_NAME AS name, '' AS owner, s.DEFAULT_CHARACTER_SET_NAME AS encoding,
s.DEFAULT_COLLATION_NAME AS collation, CAST(COALESCE(SUM(t.DATA_LENGTH + t.INDEX_LENGTH), 0) AS UNSIGNED) AS size_bytes
FROM information_schema.SCHEMATA s LEFT JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = s.SCHEMA_NAME
GROUP BY 1, 2, 3, 4 ORDER BY 1
"""
_USERS = "SELECT User AS name, Host AS host, plugin, {locked} AS locked, {role} AS role FROM mysql.user u ORDER BY 1, 2"
_VISIBLE = """
SELECT GRANTEE AS user, 'server' AS object_type, '' AS `database`, '' AS object, PRIVILEGE_TYPE AS privilege,
IS_GRANTABLE AS grantable FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE <> 'USAGE'
UNION ALL SELECT GRANTEE, 'database', TABLE_SCHEMA, '', PRIVILEGE_TYPE, IS_GRANTABLE
FROM information_schema.SCHEMA_PRIVILEGES
UNION ALL SELECT GRANTEE, 'table', TABLE_SCHEMA, TABLE_NAME, PRIVILEGE_TYPE, IS_GRANTABLE
FROM information_schema.TABLE_PRIVILEGES
UNION ALL SELECT GRANTEE, 'column', TABLE_SCHEMA, CONCAT(TABLE_NAME, '.', COLUMN_NAME), PRIVILEGE_TYPE, IS_GRANTABLE
FROM information_schema.COLUMN_PRIVILEGES
"""
# Everybody sees its own grants; to see those on routines and of roles takes the right to read the server's tables.
VISIBLE_GRANTS = f"{_VISIBLE} ORDER BY 1, 2, 3, 4, 5"
_GRANTS = f"""{_VISIBLE}
UNION ALL SELECT CONCAT('''', r.User, '''@''', r.Host, ''''), LOWER(r.Routine_type), r.Db, r.Routine_name, p.name,
IF(FIND_IN_SET('Grant', r.Proc_priv), 'YES', 'NO') FROM mysql.procs_priv r
JOIN (SELECT 'EXECUTE' AS name UNION ALL SELECT 'ALTER ROUTINE') p ON FIND_IN_SET(p.name, r.Proc_priv)
UNION ALL SELECT CONCAT('''', {{user}}, '''@''', {{host}}, ''''), 'role', '', {{role}}, 'MEMBER',
IF({{admin}} = 'Y', 'YES', 'NO') FROM {{members}} ORDER BY 1, 2, 3, 4, 5
"""
# MariaDB lists what these may do on the server nowhere.
ROLES = "SELECT User AS name FROM mysql.user WHERE is_role = 'Y'"
MYSQL_QUERIES = {
    "databases": _DATABASES,
    "users": _USERS.format(locked="account_locked = 'Y'", role=IS_ROLE[MYSQL]),
    "grants": _GRANTS.format(
        user="TO_USER", host="TO_HOST", role="FROM_USER", admin="WITH_ADMIN_OPTION", members="mysql.role_edges"
    ),
}
MARIADB_QUERIES = {
    "databases": _DATABASES,
    "users": _USERS.format(
        locked="EXISTS (SELECT 1 FROM mysql.global_priv g WHERE g.User = u.User AND g.Host = u.Host"
        " AND JSON_VALUE(g.Priv, '$.account_locked') IN ('1', 'true'))",
        role=IS_ROLE[MARIADB],
    ),
    "grants": _GRANTS.format(
        user="User", host="Host", role="Role", admin="Admin_option", members="mysql.roles_mapping"
    ),
}
TABLES = """
SELECT TABLE_SCHEMA AS `schema`, TABLE_NAME AS name, LOWER(TABLE_TYPE) AS kind, TABLE_ROWS AS estimated_rows,
DATA_LENGTH + INDEX_LENGTH AS size_bytes FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s ORDER BY 2
"""
COLUMNS = """
SELECT TABLE_SCHEMA AS `schema`, TABLE_NAME AS `table`, COLUMN_NAME AS name, COLUMN_TYPE AS type,
IS_NULLABLE = 'YES' AS nullable, COLUMN_DEFAULT AS `default`, COLUMN_KEY = 'PRI' AS `key`
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = %s ORDER BY 2, ORDINAL_POSITION
"""
