#!/usr/bin/env bash
# Entrypoint of the MySQL and MariaDB images: prepares the data directory at the first start, then becomes
# the server. What differs between the two stands in dialect.sh.
#
# A first start may be killed at any point. A marker inside the data directory says that it has not come
# to its end, and as long as it is there the data directory is cleared and made anew. Without it, a half
# made directory would be taken for a finished one, with no password or no database in it.
set -euo pipefail
shopt -s nullglob

# shellcheck source=roles/images/files/common/entrypoint-lib.sh
. /usr/local/lib/flatrun/entrypoint-lib.sh
# shellcheck source=roles/images/files/mysql/dialect.sh
. /usr/local/lib/flatrun/dialect.sh

marker=.flatrun-first-start

# setting NAME DEFAULT: the value the server will use, from its command line and option files.
setting() {
    local name=$1 value=$2 option
    while IFS= read -r option; do
        case $option in
            "--$name="* | "--${name//-/_}="*) value=${option#*=} ;;
        esac
    done < <(my_print_defaults "${dialect_groups[@]}"; printf '%s\n' "${arguments[@]}")
    printf '%s' "${value%/}"
}

# Inside single quotes; the session that reads it has an empty sql_mode, so a backslash escapes.
quoted() {
    local text=$1
    text=${text//\\/\\\\}
    text=${text//\'/\\\'}
    printf "'%s'" "$text"
}

identifier() {
    # shellcheck disable=SC2016  # the backticks are SQL's
    printf '`%s`' "${1//\`/\`\`}"
}

# In a GRANT the database is a pattern: _ and % would match other databases too.
database_pattern() {
    local text=${1//\\/\\\\}
    text=${text//_/\\_}
    identifier "${text//%/\\%}"
}

# The password travels in the client's environment: never in an argument list, which everybody can read.
docker_process_sql() {
    MYSQL_PWD=$session_password "${dialect_client[@]}" --protocol=socket --socket="$socket" --user=root \
        --default-character-set=utf8mb4 --comments ${session_database:+"--database=$session_database"} "$@"
}

start_temporary_server() {
    # No TCP: nobody may take this server for the real one, least of all a readiness check. Option files may
    # name a log or a plugin; they hold for this server as well, so that a mistake shows now.
    "$server" "${arguments[@]}" "${dialect_temporary[@]}" --skip-networking --socket="$socket" &
    temporary=$!
    until docker_process_sql --execute='SELECT 1' > /dev/null 2>&1; do
        kill -0 "$temporary" 2> /dev/null || fail "The server of the first start has ended; its own messages are above."
        sleep 0.1
    done
}

stop_temporary_server() {
    kill "$temporary"
    wait "$temporary" || fail "The server of the first start did not shut down cleanly."
}

# All accounts come from one piece of SQL on the client's standard input.
accounts_sql() {
    local host
    printf "SET SESSION sql_mode = '';\n"
    dialect_before_accounts
    if [ -n "$root_host" ] && [ "$root_host" != localhost ]; then
        host=$(quoted "$root_host")
        printf "CREATE USER 'root'@%s IDENTIFIED %s;\n" "$host" "$root_identified"
        printf "GRANT ALL ON *.* TO 'root'@%s WITH GRANT OPTION;\n" "$host"
    fi
    if [ -n "$database" ]; then
        printf 'CREATE DATABASE IF NOT EXISTS %s;\n' "$(identifier "$database")"
    fi
    if [ -n "$user" ] && [ -n "$user_identified" ]; then
        printf "CREATE USER %s@'%%' IDENTIFIED %s;\n" "$(quoted "$user")" "$user_identified"
        if [ -n "$database" ]; then
            printf "GRANT ALL ON %s.* TO %s@'%%';\n" "$(database_pattern "$database")" "$(quoted "$user")"
        fi
    fi
    # Last, for with it this session's own way in changes.
    printf "ALTER USER 'root'@'localhost' IDENTIFIED %s;\n" "$root_identified"
}

# Before anything in it is changed, be it an owner.
refuse_others_data() {
    local entry
    [ ! -d "$datadir/mysql" ] && [ ! -e "$datadir/$marker" ] || return 0
    for entry in "$datadir"/*; do
        [ "${entry##*/}" = lost+found ] ||
            fail "$datadir holds ${entry##*/} but no databases; it is not touched. Empty it, or mount another folder."
    done
}

first_start() {
    say "first start: preparing $datadir"
    : > "$datadir/$marker"
    # Everything but dot files, lost+found among the exceptions, comes from the attempt before: the server
    # refuses to initialise a directory with anything else in it.
    find "$datadir" -mindepth 1 -maxdepth 1 ! -name '.*' ! -name lost+found -exec rm -rf '{}' +
    dialect_initialize

    session_password='' session_database=''
    start_temporary_server
    if [ -z "$skip_tzinfo" ]; then
        dialect_timezones | docker_process_sql --database=mysql --force > /dev/null 2>&1 || true
    fi
    accounts_sql | docker_process_sql --binary-mode
    session_password=$root_password session_database=$database
    (
        # Scripts may use these, as they do in the official images; they end with this subshell.
        export "${dialect_prefix}_ROOT_PASSWORD=$root_password" "${dialect_prefix}_PASSWORD=$user_password"
        export MYSQL_ROOT_PASSWORD="$root_password" MYSQL_PASSWORD="$user_password"
        export "${dialect_prefix}_DATABASE=$database" "${dialect_prefix}_USER=$user" MYSQL_DATABASE="$database" MYSQL_USER="$user"
        shopt -u nullglob
        run_first_start_scripts
    )
    if [ -n "$onetime" ]; then
        printf "ALTER USER 'root'@%s PASSWORD EXPIRE;\n" "$(quoted "${root_host:-localhost}")" | docker_process_sql
    fi
    stop_temporary_server
    rm "$datadir/$marker"
    say "first start: done"
}

read_environment() {
    take root_password "${dialect_names[@]/%/_ROOT_PASSWORD}"
    take root_hash MARIADB_ROOT_PASSWORD_HASH
    take user_password "${dialect_names[@]/%/_PASSWORD}"
    take user_hash MARIADB_PASSWORD_HASH
    take root_host "${dialect_names[@]/%/_ROOT_HOST}"
    take database "${dialect_names[@]/%/_DATABASE}"
    take user "${dialect_names[@]/%/_USER}"
    take allow_empty "${dialect_names[@]/%/_ALLOW_EMPTY_PASSWORD}" "${dialect_names[@]/%/_ALLOW_EMPTY_ROOT_PASSWORD}"
    take random "${dialect_names[@]/%/_RANDOM_ROOT_PASSWORD}"
    take onetime "${dialect_names[@]/%/_ONETIME_PASSWORD}"
    take skip_tzinfo "${dialect_names[@]/%/_INITDB_SKIP_TZINFO}"
    root_host=${root_host:-%}
}

check_environment() {
    if [ -z "$root_password$root_hash$allow_empty$random" ]; then
        fail "The data directory is empty and no root password is given: set one of" \
            "${dialect_prefix}_ROOT_PASSWORD, ${dialect_prefix}_ROOT_PASSWORD_FILE," \
            "${dialect_prefix}_RANDOM_ROOT_PASSWORD, ${dialect_prefix}_ALLOW_EMPTY_PASSWORD."
    fi
    [ "$user" != root ] || fail "${dialect_prefix}_USER is root, which always exists; name another user or none."
    if [ -n "$random" ]; then
        root_password=$(random_password)
        say "GENERATED ROOT PASSWORD: $root_password"
    fi
    root_identified="BY $(quoted "$root_password")"
    [ -z "$root_hash" ] || root_identified="BY PASSWORD $(quoted "$root_hash")"
    user_identified=''
    [ -z "$user_password" ] || user_identified="BY $(quoted "$user_password")"
    [ -z "$user_hash" ] || user_identified="BY PASSWORD $(quoted "$user_hash")"
}

main() {
    local argument
    if [ $# -eq 0 ] || [ "${1#-}" != "$1" ]; then
        set -- "$dialect_server" "$@"
    fi
    case $1 in
        mysqld | mariadbd) ;;
        *) exec "$@" ;;
    esac
    server=$1
    arguments=("${@:2}")
    for argument in "${arguments[@]}"; do
        case $argument in
            '-?' | --help | --print-defaults | -V | --version) exec "$@" ;;
        esac
    done
    datadir=$(setting datadir /var/lib/mysql)
    socket=$(setting socket /var/run/mysqld/mysqld.sock)
    refuse_others_data
    if [ "$(id -u)" = 0 ]; then
        mkdir -p "$datadir" "${socket%/*}"
        own mysql "$datadir" "${socket%/*}" /var/lib/mysql-files
        become mysql "$0" "$@"
    fi
    read_environment
    if [ ! -d "$datadir/mysql" ] || [ -e "$datadir/$marker" ]; then
        check_environment
        first_start
    fi
    unset root_password user_password session_password root_identified user_identified
    exec "$@"
}

main "$@"
