#!/bin/sh
# Create the virtual environment at $1 with the first Python that is new enough. Needs the venv module, or else pip.
set -eu
target=$1
"$target/bin/python" -m pip --version >/dev/null 2>&1 && exit 0

new_enough() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; }

for python in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
    new_enough "$python" && break
    python=
done
[ -n "$python" ] || { echo "zena needs Python 3.11, 3.12 or 3.13; name one with PYTHON=/path/to/python" >&2; exit 69; }

rm -rf "$target"
if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    "$python" -m venv "$target"
elif "$python" -m pip --version >/dev/null 2>&1; then
    # Debian splits ensurepip off: a locked virtualenv, thrown away afterwards, makes the same environment.
    boot=$(mktemp -d)
    trap 'rm -rf "$boot"' EXIT
    PIP_ROOT_USER_ACTION=ignore "$python" -m pip install --quiet --require-hashes --target "$boot" -r requirements/virtualenv.lock
    PYTHONPATH=$boot "$python" -m virtualenv --quiet --no-periodic-update "$target"
else
    echo "$python has neither venv nor pip; on Debian: apt install python3-venv" >&2
    exit 69
fi
