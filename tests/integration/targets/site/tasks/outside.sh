# shellcheck shell=bash
# What anybody may see of MySQL, Redis, nginx and Certbot ($1 to $4): who reaches what, and where the password that comes
# on standard input lies about. $5 and $6 are the networks, $7 Redis' port, $8 and $9 nginx' ports, ${10} the root_dir,
# ${11} an image with bash. One line for each finding.
IFS= read -r password
mysql=$1 redis=$2 nginx=$3 certbot=$4 proxy=$5 database=$6 port=$7 http=$8 https=$9 root=${10} image=${11}

address() { docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$1"; }
# As MySQL reads an option file, and JSON a text.
escaped() { printf '%s' "$password" | sed 's/[\\"]/\\&/g'; }

echo "mysql $(printf '[client]\npassword="%s"\n' "$(escaped)" | docker exec --interactive "$mysql" sh -c '
  umask 077; cat >/tmp/login.cnf
  mysql --defaults-extra-file=/tmp/login.cnf --host=127.0.0.1 --user=root --batch --skip-column-names \
    --execute "SELECT @@character_set_server, @@innodb_buffer_pool_size > 0"
  rm -f /tmp/login.cnf' | tr '\t' ' ')"

echo "redis $(docker exec "$redis" redis-cli -p "$port" ping)"
# shellcheck disable=SC2016 # read inside the container
echo "redis $(docker exec "$redis" sh -c \
  'REDISCLI_AUTH=$(cat /run/secrets/password) redis-cli -p "$1" config get maxmemory-policy | tail -1' sh "$port")"

# A connection that is to come about has time for it on a busy machine; where none may, there is nothing to wait for. An
# engine that makes a network lets go of the rules between the others for a moment, and tests beside this one make some: so
# reached is who is reached three times.
for network in "$database" "$proxy"; do
  [ "$network" = "$database" ] && patience=20 || patience=2
  # shellcheck disable=SC2016
  reached=$(docker run --rm --network "$network" "$image" bash -c '
    patience=$1
    shift
    for target in "$@"; do
      found=yes
      for try in 1 2 3; do
        timeout "$patience" bash -c "</dev/tcp/${target%:*}/${target#*:}" 2>/dev/null || { found=no; break; }
        sleep 0.3
      done
      echo $found
    done' bash "$patience" "$(address "$mysql"):3306" "$mysql:3306" "$(address "$redis"):$port" "$redis:$port" | tr '\n' ' ')
  echo "reached from ${network##*-} $reached"
done

for name in "$mysql" "$redis" "$certbot" "$nginx"; do docker port "$name" | grep -F 0.0.0.0 | sort; done |
  sed 's/^/published /'

ask() { docker run --rm --network host "$(docker inspect --format '{{.Config.Image}}' "$nginx")" curl --silent --insecure --max-time 30 --output /dev/null --write-out '%{http_code} %{exitcode}' "$@"; }
echo "unknown host $(ask --header 'Host: nobody.example.com' "http://127.0.0.1:$http/")"
echo "unknown host over TLS $(ask "https://127.0.0.1:$https/")"

# Whoever looks must not be found: so the text comes through a pipe.
# shellcheck disable=SC2062 # these are the files
grep --files-with-matches --null-data --fixed-strings --file=<(printf '%s' "$password") \
  -- /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | while read -r file; do
  echo "password in $file: $(tr '\0' ' ' <"${file%/*}/cmdline" | cut -c1-120)"
done
docker inspect "$mysql" "$redis" | grep --fixed-strings --file=<(escaped) | sed 's/^/password inspected /'
find "$root" -path '*/secrets/*' -type f ! -perm 600 | sed 's/^/open /'
exit 0
