#!/usr/bin/env bash
# Writes docker/.env (or the file given) with a random value for each secret that .env.example names, readable by its
# owner alone. It never changes a file that is there.
set -euo pipefail
umask 077
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
file=${1:-$here/.env}
if [ -e "$file" ]; then
    echo "error: Secrets are made once, but $file is there. Databases keep their passwords, so change them there" \
        "first (docker/README.md), or name another file." >&2
    exit 1
fi
part=$(mktemp "$file.XXXXXX")
trap 'rm -f "$part"' EXIT
while IFS= read -r line; do
    if [[ $line =~ ^([A-Z_]+)=$ ]]; then
        value=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
        line="${BASH_REMATCH[1]}=$value"
    fi
    printf '%s\n' "$line"
done <"$here/.env.example" >"$part"
ln "$part" "$file" # fails where somebody else was quicker
echo "Made $file. Keep a copy where passwords are kept; git and images leave it out."
