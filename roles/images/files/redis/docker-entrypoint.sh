#!/usr/bin/env bash
# Entrypoint of the Redis image: gives /data to the user redis, then becomes the server.
set -euo pipefail

# shellcheck source=roles/images/files/common/entrypoint-lib.sh
. /usr/local/lib/flatrun/entrypoint-lib.sh

# The official image is built with protected mode off, because inside a container "only from this machine"
# would mean "from nowhere". Here it is switched off unless the caller has said what he wants.
wants_default_protection() {
    local argument
    for argument in "$@"; do
        case $argument in
            --protected-mode | --version | -v | --help | -h | --test-memory | --check-system | -) return 1 ;;
        esac
        if [ -f "$argument" ] && grep -Eqi '^[[:space:]]*protected-mode[[:space:]]' "$argument"; then
            return 1
        fi
    done
}

if [ $# -eq 0 ] || [ "${1#-}" != "$1" ] || [ "${1%.conf}" != "$1" ]; then
    set -- redis-server "$@"
fi

if [ "$1" = redis-server ]; then
    if [ "$(id -u)" = 0 ]; then
        own redis .
        become redis "$0" "$@"
    fi
    # Dumps and append-only files hold everybody's data.
    umask 0077
    if wants_default_protection "${@:2}"; then
        set -- "$@" --protected-mode no
    fi
fi

exec "$@"
