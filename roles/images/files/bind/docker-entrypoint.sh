#!/usr/bin/env bash
# Entrypoint of the BIND image: gives the zones to the user bind, then becomes named in the foreground.
# named itself drops from root, because it has to open port 53 first.
set -euo pipefail

# shellcheck source=roles/images/files/common/entrypoint-lib.sh
. /usr/local/lib/flatrun/entrypoint-lib.sh

if [ $# -eq 0 ] || [ "${1#-}" != "$1" ]; then
    set -- named "$@"
fi
if [ "$1" = named ] && [ "$(id -u)" = 0 ]; then
    own bind /var/cache/bind /var/lib/bind /run/named
    set -- named -g -u bind "${@:2}"
fi
exec "$@"
