#!/bin/sh
# Entrypoint of the test image with Pebble, an ACME server, and pebble-challtestsrv, which answers its DNS
# and challenge questions. Neither is for anything but tests.
#
#   PEBBLE_NAMES       names and addresses its own certificate is for, besides the container's name
#   PEBBLE_HTTP_PORT   port that http-01 is asked at (80)
#   PEBBLE_TLS_PORT    port that tls-alpn-01 is asked at (443)
#
# Its own TLS certificate is signed by /var/lib/pebble/ca.pem, which is made at the first start. The root
# of what it issues is another one, at https://<pebble>:15000/roots/0.
set -eu

if [ $# -eq 0 ] || [ "${1#-}" != "$1" ]; then
    set -- pebble "$@"
fi
if [ "$1" = pebble-challtestsrv ]; then
    # Its DNS over HTTPS wants a certificate from the caller, and ends the program where it has none.
    case " $* " in
        *' -doh '* | *' -doh-cert '*) ;;
        *) set -- "$@" -doh '' ;;
    esac
fi
[ "$1" = pebble ] || exec "$@"
shift

cd /var/lib/pebble
umask 022
if [ ! -e server.pem ]; then
    names="DNS:localhost,DNS:pebble,DNS:$(hostname),IP:127.0.0.1"
    for name in $(hostname -I) ${PEBBLE_NAMES:-}; do
        case $name in
            *:* | *[!0-9.]*) case $name in *:*) names=$names,IP:$name ;; *) names=$names,DNS:$name ;; esac ;;
            *) names=$names,IP:$name ;;
        esac
    done
    new_key="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650"
    # shellcheck disable=SC2086  # new_key is several options
    {
        openssl req -x509 $new_key -subj '/CN=flatrun pebble test CA' -keyout ca.key -out ca.pem \
            -addext keyUsage=critical,keyCertSign,cRLSign
        openssl req -x509 $new_key -subj /CN=pebble -keyout server.key -out server.new -CA ca.pem -CAkey ca.key \
            -addext "subjectAltName=$names" -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=serverAuth
    } 2> openssl.log || { cat openssl.log >&2; exit 1; }
    mv server.new server.pem
fi

cat > config.json << CONFIG
{
  "pebble": {
    "listenAddress": "0.0.0.0:14000",
    "managementListenAddress": "0.0.0.0:15000",
    "certificate": "/var/lib/pebble/server.pem",
    "privateKey": "/var/lib/pebble/server.key",
    "httpPort": ${PEBBLE_HTTP_PORT:-80},
    "tlsPort": ${PEBBLE_TLS_PORT:-443},
    "ocspResponderURL": "",
    "externalAccountBindingRequired": false,
    "domainBlocklist": ["blocked-domain.example"],
    "retryAfter": {"authz": 1, "order": 1},
    "keyAlgorithm": "ecdsa",
    "profiles": {
      "default": {"description": "ninety days", "validityPeriod": 7776000},
      "shortlived": {"description": "six days", "validityPeriod": 518400}
    }
  }
}
CONFIG

# A configuration of the caller's own replaces the one above.
case " $* " in
    *' -config '*) exec pebble "$@" ;;
    *) exec pebble -config /var/lib/pebble/config.json "$@" ;;
esac
