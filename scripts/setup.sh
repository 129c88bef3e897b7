#!/bin/sh
# Finds a Python that runs and hands over to scripts/setup.py: sh scripts/setup.sh LEVEL VENV.
# Everything in here is built into the shell: the machine may have nothing else.
set -u
folder=${0%/*}
level=${1:?usage: sh scripts/setup.sh lab|dev VENV}
venv=${2:?usage: sh scripts/setup.sh lab|dev VENV}

# Started, not just looked up: version managers put names on PATH that only print an error.
fits() {
    "$1" -I -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

if fits "$venv/bin/python"; then
    exec "$venv/bin/python" -I "$folder/setup.py" "$level" "$venv"
fi
for candidate in ${PYTHON:-} python3.13 python3.12 python3.11 python3 python; do
    if fits "$candidate"; then
        if ! "$candidate" -I -c 'import venv, ensurepip' >/dev/null 2>&1; then
            incomplete=$candidate
            continue
        fi
        exec "$candidate" -I "$folder/setup.py" "$level" "$venv"
    fi
done
if [ -n "${incomplete:-}" ]; then
    printf '%s\n' "set-up stopped: $incomplete has no venv or ensurepip module; install it (on Debian: apt install python3-venv)" >&2
else
    printf '%s\n' "set-up stopped: no Python 3.11, 3.12 or 3.13 that runs was found; install one, or name it: make PYTHON=/path/to/python3.12" >&2
fi
exit 1
