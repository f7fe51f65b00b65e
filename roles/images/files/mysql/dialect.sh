# shellcheck shell=bash disable=SC2034,SC2154
# What MySQL does in its own way; read by docker-entrypoint.sh.

dialect_prefix=MYSQL
dialect_names=(MYSQL)
dialect_server=mysqld
dialect_client=(mysql --no-defaults)
dialect_groups=(mysqld server)
dialect_temporary=(--mysqlx=OFF --default-time-zone=SYSTEM)

dialect_initialize() {
    "$server" "${arguments[@]}" --initialize-insecure --default-time-zone=SYSTEM
}

dialect_timezones() {
    mysql_tzinfo_to_sql /usr/share/zoneinfo
}

dialect_before_accounts() {
    :
}
