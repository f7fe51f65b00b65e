# shellcheck shell=bash
# What the entrypoints have in common. Sourced by them, never run by itself.

say() {
    printf '%s [entrypoint] %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$*"
}

fail() {
    say "ERROR: $*" >&2
    exit 1
}

# take TARGET NAME [NAME ...]: the value of the first NAME (or NAME_FILE) that is set goes into the shell
# variable TARGET. The variables themselves are taken out of the environment: what is not there can't be
# read in /proc/<pid>/environ of the server later.
take() {
    local target=$1 name file value=''
    shift
    for name in "$@"; do
        file=${name}_FILE
        if [ -n "${!name:-}" ] && [ -n "${!file:-}" ]; then
            fail "$name and $file are both set; set one of them."
        fi
        if [ -z "$value" ] && [ -n "${!name:-}" ]; then
            value=${!name}
        elif [ -z "$value" ] && [ -n "${!file:-}" ]; then
            [ -r "${!file}" ] || fail "$file is ${!file}, which the user $(id -un) cannot read."
            value=$(< "${!file}")
        fi
        unset "$name" "$file"
    done
    printf -v "$target" '%s' "$value"
}

# own USER DIRECTORY ...: gives what belongs to somebody else to the service's user. Looked for first,
# because a chown of everything writes to every file of a large data directory at each start.
own() {
    local user=$1
    shift
    find "$@" ! -user "$user" -exec chown --no-dereference "$user:" '{}' +
}

# become USER COMMAND ...: replaces the process, with no capability left and no way to get one.
become() {
    local user=$1
    shift
    HOME=$(getent passwd "$user" | cut -d: -f6)
    export HOME
    exec setpriv --reuid="$user" --regid="$user" --init-groups --inh-caps=-all -- "$@"
}

random_password() {
    local bytes
    bytes=$(head -c 24 /dev/urandom | base64 -w 0)
    printf '%s' "${bytes//[+\/=]/x}"
}

# The first-start scripts. docker_process_sql is the entrypoint's own; scripts may call it too.
run_first_start_scripts() {
    local script
    for script in /docker-entrypoint-initdb.d/*; do
        case $script in
            *.sh)
                if [ -x "$script" ]; then
                    say "running $script"
                    "$script"
                else
                    say "sourcing $script"
                    # As in the official images, a variable that isn't set is an empty one there.
                    set +u
                    # shellcheck source=/dev/null
                    . "$script"
                    set -u
                fi
                ;;
            *.sql) say "running $script"; docker_process_sql < "$script" ;;
            *.sql.gz) say "running $script"; gunzip -c "$script" | docker_process_sql ;;
            *.sql.xz) say "running $script"; xzcat "$script" | docker_process_sql ;;
            *.sql.zst) say "running $script"; zstd -dc "$script" | docker_process_sql ;;
            '/docker-entrypoint-initdb.d/*') ;;
            *) say "ignoring $script" ;;
        esac
    done
}
