#!/usr/bin/env bash
# A test image's entrypoint, rude on purpose. It does what the official images do where it hurts:
#
#   - what *_FILE points to is exported, so it stays in the environment of the server (/proc/1/environ);
#   - MySQL and MariaDB: the password goes into SQL as it is, so a quote in it breaks the statement, and the
#     first start with it;
#   - the data directory counts as initialised as soon as it has the system tables in it, however far the
#     first start came.
#
# What must work with the official images has to work with this one. Nothing else should use it.
set -eo pipefail

import() {
    local name=$1 file=$1_FILE
    if [ -n "${!file:-}" ]; then
        export "$name=$(< "${!file}")"
        unset "$file"
    fi
}

sql_server() {
    local server=$1 client=$2 prefix=$3 name
    shift 3
    if [ "$(id -u)" = 0 ]; then
        find /var/lib/mysql ! -user mysql -exec chown mysql: '{}' +
        exec setpriv --reuid=mysql --regid=mysql --init-groups -- "$0" "$server" "$@"
    fi
    for name in ROOT_PASSWORD PASSWORD; do
        import "MYSQL_$name"
        import "${prefix}_$name"
    done
    local password_name=${prefix}_ROOT_PASSWORD
    local password=${!password_name:-$MYSQL_ROOT_PASSWORD}
    if [ ! -d /var/lib/mysql/mysql ]; then
        [ -n "$password" ] || { echo 'no root password' >&2; exit 1; }
        if [ "$server" = mysqld ]; then
            mysqld "$@" --initialize-insecure
        else
            mariadb-install-db --datadir=/var/lib/mysql --auth-root-authentication-method=normal --skip-test-db > /dev/null
        fi
        "$server" "$@" --skip-networking &
        until "$client" --no-defaults -uroot -S /var/run/mysqld/mysqld.sock -e 'SELECT 1' > /dev/null 2>&1; do
            sleep 0.1
        done
        "$client" --no-defaults -uroot -S /var/run/mysqld/mysqld.sock << SQL
CREATE USER 'root'@'${MYSQL_ROOT_HOST:-%}' IDENTIFIED BY '$password';
GRANT ALL ON *.* TO 'root'@'${MYSQL_ROOT_HOST:-%}' WITH GRANT OPTION;
ALTER USER 'root'@'localhost' IDENTIFIED BY '$password';
SQL
        kill %1
        wait %1 || true
    fi
    exec "$server" "$@"
}

postgresql_server() {
    if [ "$(id -u)" = 0 ]; then
        find "$PGDATA" ! -user postgres -exec chown postgres: '{}' +
        exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$0" postgres "$@"
    fi
    import POSTGRES_PASSWORD
    if [ ! -s "$PGDATA/PG_VERSION" ]; then
        [ -n "$POSTGRES_PASSWORD" ] || { echo 'no password' >&2; exit 1; }
        chmod 0700 "$PGDATA"
        initdb --username="${POSTGRES_USER:-postgres}" --pwfile=<(echo "$POSTGRES_PASSWORD") > /dev/null
        echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
        pg_ctl -w -o "-c listen_addresses=''" start
        sleep 1
        pg_ctl -w -m fast stop
    fi
    exec postgres "$@"
}

command=$1
case $command in
    mysqld) shift; sql_server mysqld mysql MYSQL "$@" ;;
    mariadbd) shift; sql_server mariadbd mariadb MARIADB "$@" ;;
    postgres) shift; postgresql_server "$@" ;;
    *) exec "$@" ;;
esac
