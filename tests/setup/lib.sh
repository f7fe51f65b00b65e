# shellcheck shell=bash
# What the scripts beside this file share: where things lie, and how a step says what it does and how long it took.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# What outlives a checkout and is dear to make: root file systems, pids of what was started.
# shellcheck disable=SC2034  # used by the scripts that read this file
cache=${XDG_CACHE_HOME:-$HOME/.cache}/flatrun-infra
logs=$root/.cache/log
collections=$root/.cache/collections
mkdir -p "$logs" "$cache"
# Ansible wants UTF-8, and a machine may have been told of a locale that it hasn't got, or of none. This one is in libc.
export LC_ALL=C.UTF-8
# A package index that does not answer at once is asked again.
export PIP_RETRIES=10 PIP_DEFAULT_TIMEOUT=60
# What the tests need of the distribution beside what role host sees to: what breaks things at a chosen moment, too.
# shellcheck disable=SC2034
test_packages=(docker-registry iproute2 iptables mmdebstrap nghttp2-client openssh-client procps rsync shellcheck strace wrk)
# This machine as Ansible's host, with the distribution's Python: its libraries are the ones that role host sees to.
# shellcheck disable=SC2034
this_machine=(-i 'localhost,' -c local -e ansible_python_interpreter=/usr/bin/python3)

say() { printf '%s\n' "$*"; }
die() { say "$*" >&2; exit 1; }

# step NAME SENTENCE COMMAND...: run it with its output in a log file; when it fails, show the log's end.
step() {
  local name=$1 sentence=$2 log=$logs/$1.log begin=$EPOCHREALTIME status
  shift 2
  say "$name: $sentence ..."
  # In a shell of its own and not behind `||`, where bash would go on after a failed line of a function.
  set +e
  (set -e; "$@") >"$log" 2>&1 </dev/null
  status=$?
  set -e
  if [ "$status" -ne 0 ]; then
    tail -n 40 "$log" >&2
    die "$name: $sentence: failed after $(since "$begin") s (all of it: $log)"
  fi
  say "$name: $sentence: done in $(since "$begin") s"
}

# show NAME SENTENCE COMMAND...: the same with the output in sight.
show() {
  local name=$1 sentence=$2 begin=$EPOCHREALTIME status
  shift 2
  say "$name: $sentence ..."
  set +e
  (set -e; "$@") </dev/null
  status=$?
  set -e
  [ "$status" -eq 0 ] || die "$name: $sentence: failed after $(since "$begin") s"
  say "$name: $sentence: done in $(since "$begin") s"
}

# beside NAME SENTENCE COMMAND...: the same while other steps go on; joined NAME waits for it, and shows what it said.
# settled NAME is that for one that has ended already: nobody waits for the rest where something has failed.
declare -A besides=()
beside() {
  local name=$1 sentence=$2
  shift 2
  say "$name: $sentence, beside what follows ..."
  # In a process group of its own, with all that it starts.
  set -m
  "$@" >"$logs/$name.log" 2>&1 </dev/null &
  set +m
  besides[$name]=$!
}

joined() {
  local status=0
  [ -n "${besides[$1]}" ] || return 0
  wait "${besides[$1]}" || status=$?
  besides[$1]=
  if [ "$status" -ne 0 ]; then
    tail -n 60 "$logs/$1.log" >&2
    die "$1: failed (all of it: $logs/$1.log)"
  fi
  grep -E "^([a-z]+: .* done in |=+ [0-9]+ passed)" "$logs/$1.log" || true
}

settled() { jobs -pr | grep -qx "${besides[$1]}" || joined "$1"; }

# What still goes on beside, when a step fails; the number of one that has ended may be another's by now. The next run is to
# meet none of it.
end_besides() {
  local try
  signal_besides TERM
  for try in {1..300}; do
    [ -n "$(jobs -pr)" ] || return 0
    sleep 0.1
  done
  signal_besides KILL
}

signal_besides() {
  local pid
  for pid in $(jobs -pr); do
    kill "-$1" -- "-$pid" 2>/dev/null || true
  done
}

since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN {printf "%.1f", b - a}'; }

# packages NAME...: install what is missing of these distribution packages; apt is not asked when nothing is.
packages() {
  local missing=() name
  for name in "$@"; do
    dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q ' installed$' || missing+=("$name")
  done
  [ "${#missing[@]}" -gt 0 ] || return 0
  step packages "installing ${missing[*]}" install_packages "${missing[@]}"
}

install_packages() {
  # One after the other, where steps beside each other want some.
  local lock
  exec {lock}>"$cache/packages.lock"
  flock "$lock"
  export DEBIAN_FRONTEND=noninteractive
  # No service starts by being installed: the scripts start what they need, and say so.
  export RUNLEVEL=1
  # An archive that can be reached in part is better than none.
  again archive update -o APT::Update::Error-Mode=any || archive update
  again archive install -y --no-install-recommends "$@"
}

archive() { apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=5 "$@"; }

# again COMMAND...: up to three times, for what a network may fail at now and then.
again() {
  local try
  for try in 1 2 3; do
    "$@" && return
    say "attempt $try failed: $*" >&2
    sleep $((try * 5))
  done
  return 1
}

# Ansible, pytest and mypy find the checkout under the name that it has when it is installed.
link_collection() {
  mkdir -p "$collections/ansible_collections/flatrun"
  ln -sfn "$root" "$collections/ansible_collections/flatrun/infra"
}
