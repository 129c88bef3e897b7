#!/bin/sh
# Writes requirements/*.txt from pyproject.toml: every platform, Python 3.11 to 3.13, with hashes,
# and without a line that says where packages come from. Needs uv; set-up and users do not.
set -eu
cd "$(dirname "$0")/.."

# A release younger than this is not taken: most hijacked releases are found within days.
COOL_DOWN="14 days"
# But for the formatter: it sees only our own text, and two releases may disagree about it.
AT_ONCE="ruff=0 days"

if ! uv --version >/dev/null 2>&1; then
    echo "lock: uv is needed to resolve for every platform, and it was not found on PATH" >&2
    exit 1
fi

# The public index only, whatever this machine is configured to add to it.
unset UV_INDEX UV_INDEX_URL UV_EXTRA_INDEX_URL UV_DEFAULT_INDEX UV_FIND_LINKS UV_CONSTRAINT UV_OVERRIDE

# Extras stay in the lines: an older pip that is asked for `coverage[toml]` by another package
# takes the newest coverage, finds no hash for it, and stops.
compile() { # output, then what to compile
    output=$1
    shift
    echo "lock: requirements/$output" >&2
    uv --no-config pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-annotate --no-strip-extras --exclude-newer "$COOL_DOWN" \
        --exclude-newer-package "$AT_ONCE" \
        --custom-compile-command "make lock" --output-file "requirements/$output" "$@"
}

# The widest set first: the narrower ones are constrained to its versions, so that going from
# `make demo` to `make test` adds packages and changes none.
compile dev.txt pyproject.toml --extra lab --extra notify --extra weights --group build \
    --group dev "${@}"
compile lab.txt pyproject.toml --extra lab --group build --constraint requirements/dev.txt "${@}"
compile run.txt pyproject.toml --constraint requirements/dev.txt "${@}"
compile notify.txt pyproject.toml --extra notify --constraint requirements/dev.txt "${@}"
compile weights.txt pyproject.toml --extra weights --constraint requirements/dev.txt "${@}"
compile node.txt --group node "${@}"
