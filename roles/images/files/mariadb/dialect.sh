# shellcheck shell=bash disable=SC2034,SC2154
# What MariaDB does in its own way; read by docker-entrypoint.sh.

dialect_prefix=MARIADB
dialect_names=(MARIADB MYSQL)
dialect_server=mariadbd
# Newer clients insist on TLS by themselves, and a server may have been told to do without.
dialect_client=(mariadb --no-defaults --disable-ssl-verify-server-cert)
dialect_groups=(mysqld server mariadb mariadbd mariadb-server)
dialect_temporary=(--default-time-zone=SYSTEM --skip-slave-start --wsrep-on=OFF)

dialect_initialize() {
    local output
    # Its output is a page of advice for people at a keyboard; it is shown where something went wrong.
    output=$(mariadb-install-db --datadir="$datadir" --auth-root-authentication-method=normal --skip-test-db --rpm \
        "${arguments[@]}" 2>&1) || fail "mariadb-install-db could not prepare $datadir: $output"
}

dialect_timezones() {
    mariadb-tzinfo-to-sql --skip-write-binlog /usr/share/zoneinfo
}

# An account without a name would be taken before app@% for whoever comes from this host.
dialect_before_accounts() {
    printf "DELETE FROM mysql.global_priv WHERE user = '' OR (user = 'root' AND host <> 'localhost');\n"
    printf "DELETE FROM mysql.proxies_priv WHERE host <> 'localhost';\nFLUSH PRIVILEGES;\n"
}
