#!/usr/bin/env bash
# Entrypoint of the WordPress image: fills /var/www/html where it holds no WordPress yet, makes the keys
# that cookies are signed with, then becomes Apache.
set -euo pipefail

# shellcheck source=roles/images/files/common/entrypoint-lib.sh
. /usr/local/lib/flatrun/entrypoint-lib.sh

fill() {
    # index.php is what makes it a WordPress, here and in the official image. It is copied last, so that a
    # copy that was cut is taken up again. Themes and plugins that were there before it are their owner's.
    local theirs=.flatrun-theirs
    if [ ! -e index.php ]; then
        say "copying WordPress $WORDPRESS_VERSION to $PWD"
        if [ ! -e $theirs ]; then
            find ./wp-content -mindepth 2 -maxdepth 2 > $theirs.new 2> /dev/null || true
            mv $theirs.new $theirs
        fi
        tar --create --directory /usr/src/wordpress --anchored --no-wildcards --exclude ./index.php --exclude ./wp-config.php \
            --exclude-from "$PWD/$theirs" . | tar --extract --keep-newer-files 2> /dev/null || true
        [ -e wp-includes/version.php ] || fail "WordPress could not be copied to $PWD."
        cp -p /usr/src/wordpress/index.php index.php
    fi
    rm -f $theirs
    [ -e wp-config.php ] || cp -p /usr/src/wordpress/wp-config.php .
}

make_keys() {
    local name
    [ ! -e .flatrun-keys.php ] || return 0
    (
        umask 0077
        echo '<?php return ['
        for name in AUTH_KEY SECURE_AUTH_KEY LOGGED_IN_KEY NONCE_KEY AUTH_SALT SECURE_AUTH_SALT LOGGED_IN_SALT NONCE_SALT; do
            echo "    '$name' => '$(random_password)$(random_password)',"
        done
        echo '];'
    ) > .flatrun-keys.new
    chmod 0640 .flatrun-keys.new
    [ "$(id -u)" != 0 ] || chown www-data:www-data .flatrun-keys.new
    mv .flatrun-keys.new .flatrun-keys.php
}

case ${1:-} in
    apache2* | php-fpm*)
        fill
        make_keys
        ;;
esac

exec "$@"
