#!/bin/sh
# Makes the virtual environment of the Celery side from pinned packages, once, and prints its Python. PYTHON names the interpreter that it is made with.
set -eu
cd "$(dirname "$0")"
venv=../../../build/bench-celery
if [ ! -f "$venv/.made" ] || ! cmp -s requirements.txt "$venv/.made"; then
	"${PYTHON:-python3}" -m venv "$venv" >&2
	"$venv/bin/pip" install --quiet -r requirements.txt >&2
	cp requirements.txt "$venv/.made"
fi
echo "$(cd "$venv" && pwd)/bin/python"
