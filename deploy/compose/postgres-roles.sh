#!/bin/sh
# Runs once, when the database's volume is new: makes the two roles and the database.
set -eu
psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    -v owner_password="$(cat /run/secrets/owner_password)" \
    -v service_password="$(cat /run/secrets/service_password)" \
    --file /etc/gatepost/roles.sql
