# shellcheck shell=bash disable=SC2016 # read inside the containers
# What the apps of the servers and the nginx that begin with $1 have, blog's password coming on standard input; nginx
# listens on $2.
IFS= read -r password

ask() { docker exec "$1-pg" sh -c 'PGPASSWORD=$1 psql -h127.0.0.1 -Ublog -At "$2" -c "$3"' sh "$password" "$2" "$3" 2>&1; }
ask "$1" blog "SELECT current_user || ' of ' || current_database() || ' is its owner' FROM pg_database
  WHERE datname = current_database() AND pg_get_userbyid(datdba) = current_user"
ask "$1" shop-db 'SELECT 1' | grep -q 'permission denied for database' && echo blog is kept out of shop-db

docker exec "$1-maria" sh -c 'MYSQL_PWD="a third one" mariadb -h127.0.0.1 -ureports -BN reports \
  -e "CREATE TABLE IF NOT EXISTS t (i int); SELECT \"reports made a table\""'

for host in blog.example.com www.blog.example.com shop.example.com; do
  exec 3<>"/dev/tcp/127.0.0.1/$2"
  printf 'GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$host" >&3
  read -r _version status _words <&3 || status=closed
  echo "$host $status"
  exec 3>&-
done
exit 0
