# shellcheck shell=bash disable=SC2016 # read inside the containers
# What the servers whose names begin with $1 took of their configuration, one line each.
sql='SELECT @@character_set_server, @@collation_server, @@innodb_buffer_pool_size DIV 1048576'
docker exec "$1-mariadb" sh -c 'MYSQL_PWD=$(cat /run/secrets/root_password) mariadb -h127.0.0.1 -uroot -BN -e "$1"' sh "$sql" | tr '\t' ' '
docker exec "$1-mysql" sh -c 'MYSQL_PWD=$(cat /run/secrets/root_password) mysql -h127.0.0.1 -uroot -BN -e "$1"' sh "$sql" | tr '\t' ' '
sql="SELECT concat_ws(' ', current_setting('shared_buffers'), current_setting('work_mem'), current_setting('max_connections'))"
docker exec "$1-postgresql" sh -c 'PGPASSWORD=$(cat /run/secrets/postgres_password) psql -h127.0.0.1 -Upostgres -At -c "$1"' sh "$sql"
docker exec "$1-redis" sh -c 'REDISCLI_AUTH=$(cat /run/secrets/password) redis-cli config get maxmemory-policy maxmemory appendonly' |
  paste -d ' ' - - | sort | tr '\n' ' '
exit 0
