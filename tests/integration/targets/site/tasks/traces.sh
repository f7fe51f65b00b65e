# shellcheck shell=bash
# What was written below $1 since its stamp, and what happened since the second $2 to what begins with $3. Health checks
# go on by themselves, and count for nothing.
find "$1" -path '*/data' -prune -o -newer "$1.stamp" -print
kinds='container (create|start|stop|restart|die|kill|destroy|rename|update|pause|unpause)|network|volume'
docker events --since "$2" --until "$(date +%s)" --format '{{.Type}} {{.Action}} {{.Actor.Attributes.name}}' |
  grep -E "^($kinds) .*$3"
exit 0
