#!/usr/bin/env bash
# Entrypoint of the PostgreSQL image: makes the cluster at the first start, then becomes the server.
#
# A first start may be killed at any point. The cluster is therefore made, and its scripts are run, in a
# folder inside the data directory. When it is complete it is marked so, and moved up entry by entry, with
# PG_VERSION last: only that file says that there is a cluster. A folder without the mark is made anew; one
# with it is moved on from where the move was cut.
# shellcheck disable=SC2031  # the scripts of the first start get a PGDATA of their own, in a subshell
set -euo pipefail
shopt -s nullglob dotglob

# shellcheck source=roles/images/files/common/entrypoint-lib.sh
. /usr/local/lib/flatrun/entrypoint-lib.sh

initdb_arguments=''
workshop=.flatrun-first-start
complete=.flatrun-complete

docker_process_sql() {
    PGPASSWORD=$password psql --no-psqlrc --no-password --quiet --set ON_ERROR_STOP=1 --host /var/run/postgresql \
        --username "$user" --dbname "${session_database:-$database}" "$@"
}

check_environment() {
    if [ -z "$password" ] && [ "$auth_method" != trust ]; then
        fail "The data directory is empty and no password is given: set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE" \
            "(or POSTGRES_HOST_AUTH_METHOD=trust, which lets everybody in)."
    fi
}

# Before anything in it is changed, be it an owner.
refuse_others_data() {
    local entry
    [ ! -s "$PGDATA/PG_VERSION" ] && [ ! -e "$PGDATA/$workshop/$complete" ] || return 0
    for entry in "$PGDATA"/*; do
        case ${entry##*/} in
            "$workshop" | lost+found | .snapshot) ;;
            *) fail "$PGDATA holds ${entry##*/} but no cluster; it is not touched. Empty it, or set PGDATA to a folder in it." ;;
        esac
    done
}

make_cluster() {
    local choices=()
    [ -z "$wal_directory" ] || choices+=(--waldir "$wal_directory")
    # initdb reads the password from a pipe; POSTGRES_INITDB_ARGS is a line of options, as a shell would read it.
    eval "initdb --pgdata=\"\$1\" --username=\"\$user\" --pwfile=<(printf '%s\n' \"\$password\") \"\${choices[@]}\" $initdb_arguments"
    printf '\nhost all all all %s\n' "$auth_method" >> "$1/pg_hba.conf"
}

run_scripts() {
    # No TCP: nobody may take this server for the real one, least of all a readiness check.
    local argument options=''
    for argument in "${@:2}" -c listen_addresses= -p "${PGPORT:-5432}"; do
        options+=" $(printf '%q' "$argument")"
    done
    PGUSER=$user PGPASSWORD=$password pg_ctl --pgdata "$1" --silent --wait start --options "$options"
    if [ "$database" != postgres ]; then
        session_database=postgres docker_process_sql --set database="$database" <<< 'CREATE DATABASE :"database";'
    fi
    (
        # Scripts see these as they do in the official images; they end with this subshell.
        # shellcheck disable=SC2030
        export PGDATA="$1" PGHOST='' PGHOSTADDR='' POSTGRES_USER="$user" POSTGRES_DB="$database" POSTGRES_PASSWORD="$password"
        shopt -u dotglob nullglob
        run_first_start_scripts
    )
    PGUSER=$user pg_ctl --pgdata "$1" --mode fast --silent --wait stop
}

move_up() {
    local entry
    for entry in "$1"/*; do
        case ${entry##*/} in
            PG_VERSION | "$complete" | postmaster.opts) ;;
            *) mv "$entry" "$PGDATA/" ;;
        esac
    done
    sync "$PGDATA"
    mv "$1/PG_VERSION" "$PGDATA/"
    rm -rf "$1"
}

first_start() {
    local folder=$PGDATA/$workshop
    if [ ! -e "$folder/$complete" ]; then
        check_environment
        say "first start: making a cluster in $PGDATA"
        rm -rf "$folder"
        if [ -n "$wal_directory" ] && [ -e "$wal_directory" ]; then
            find "$wal_directory" -mindepth 1 -delete
        fi
        mkdir -m 0700 "$folder"
        make_cluster "$folder"
        run_scripts "$folder" "$@"
        sync "$folder"
        : > "$folder/$complete"
    fi
    move_up "$folder"
    say "first start: done"
}

read_environment() {
    take password POSTGRES_PASSWORD
    take user POSTGRES_USER
    take database POSTGRES_DB
    take initdb_arguments POSTGRES_INITDB_ARGS
    take auth_method POSTGRES_HOST_AUTH_METHOD
    wal_directory=${POSTGRES_INITDB_WALDIR:-}
    user=${user:-postgres}
    database=${database:-$user}
    # What the server hashes passwords with by default.
    auth_method=${auth_method:-scram-sha-256}
}

main() {
    local argument
    if [ $# -eq 0 ] || [ "${1#-}" != "$1" ]; then
        set -- postgres "$@"
    fi
    [ "$1" = postgres ] || exec "$@"
    for argument in "${@:2}"; do
        case $argument in
            '-?' | --help | --describe-config | -V | --version) exec "$@" ;;
        esac
    done
    refuse_others_data
    if [ "$(id -u)" = 0 ]; then
        mkdir -p "$PGDATA" /var/run/postgresql ${POSTGRES_INITDB_WALDIR:+"$POSTGRES_INITDB_WALDIR"}
        own postgres "$PGDATA" /var/run/postgresql ${POSTGRES_INITDB_WALDIR:+"$POSTGRES_INITDB_WALDIR"}
        chmod 03775 /var/run/postgresql
        become postgres "$0" "$@"
    fi
    mkdir -p "$PGDATA"
    # The server refuses a data directory that others may read. A mount that does not let us is its own affair.
    chmod 0700 "$PGDATA" 2> /dev/null || true
    read_environment
    if [ ! -s "$PGDATA/PG_VERSION" ]; then
        first_start "${@:2}"
    fi
    unset password
    exec "$@"
}

main "$@"
