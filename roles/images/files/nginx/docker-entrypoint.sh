#!/bin/sh
# Entrypoint of the nginx image: runs what lies in /docker-entrypoint.d in order, then becomes nginx.
# Files ending in .envsh are sourced, so that they can set variables; executable .sh files are run.
set -eu

say() {
    [ -n "${NGINX_ENTRYPOINT_QUIET_LOGS:-}" ] || echo "$0: $*"
}

case ${1:-} in
    nginx | nginx-debug)
        for script in /docker-entrypoint.d/*; do
            case $script in
                *.envsh | *.sh)
                    if [ ! -x "$script" ]; then
                        say "ignoring $script, which is not executable"
                    elif [ "${script%.envsh}" != "$script" ]; then
                        say "sourcing $script"
                        # shellcheck source=/dev/null
                        . "$script"
                    else
                        say "running $script"
                        "$script"
                    fi
                    ;;
                *) [ ! -e "$script" ] || say "ignoring $script" ;;
            esac
        done
        ;;
esac

exec "$@"
