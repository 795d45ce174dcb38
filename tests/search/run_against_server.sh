#!/bin/sh
# Runs the suite of stores against a Qdrant server as well: tests/search/run_against_server.sh http://localhost:6333
# A key goes into QDRANT_API_KEY. Collections that the tests make (medloom-test-...) are deleted again.
set -eu
if [ "$#" -lt 1 ]; then
    echo "usage: $0 http://HOST:PORT [options of pytest]" >&2
    exit 2
fi
MEDLOOM_QDRANT_SERVER=$1
export MEDLOOM_QDRANT_SERVER
shift
cd "$(dirname "$0")/../.."
exec "${PYTHON:-.venv/bin/python}" -m pytest -q tests/search/test_stores.py "$@"
