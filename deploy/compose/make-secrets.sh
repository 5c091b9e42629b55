#!/bin/sh
# Makes the secrets of compose.yaml in secrets/, once: what is there stays.
set -eu
cd "$(dirname "$0")"
mkdir -p secrets
chmod 700 secrets
cd secrets
if [ -e secret_key ]; then
    echo "secrets/ has its secrets already" >&2
    exit 0
fi

random() {
    od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
}
# Read inside the containers by users of theirs; outside, the folder lets nobody in.
write() {
    printf '%s' "$2" >"$1"
    chmod 444 "$1"
}

owner=$(random) service=$(random) redis=$(random)
write superuser_password "$(random)"
write owner_password "$owner"
write service_password "$service"
write owner_database_url "postgresql://gatepost_owner:$owner@postgres/gatepost"
write service_database_url "postgresql://gatepost:$service@postgres/gatepost"
# Nobody without a name and a password; and with it, only what is Gatepost's.
write redis_users "user default off
user gatepost on >$redis ~gatepost:* &gatepost:* +@all -@admin -@dangerous
"
write redis_url "redis://gatepost:$redis@redis:6379/0"
write secret_key "$(random)"
