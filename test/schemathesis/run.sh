#!/bin/sh
# Holds a running promptd to its own OpenAPI document with schemathesis: builds the server and the scripted provider, starts both on free loopback ports, runs for a bounded
# time and ends what it started, by process id. Usage: test/schemathesis/run.sh [seconds]   (300 by default)
#
# PYTHON names the interpreter; the pinned schemathesis goes into a virtual environment under build/. SCHEMATHESIS names an installed one instead.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-300}
version=4.32.5

work=$(mktemp -d)
pids=""
finish() {
	status=$?
	for pid in $pids; do kill "$pid" 2>/dev/null || true; done
	for pid in $pids; do wait "$pid" 2>/dev/null || true; done
	[ "$status" -eq 0 ] || { echo "the server's last lines:"; tail -n 20 "$work/server.log" 2>/dev/null; } >&2
	rm -rf "$work"
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

if [ -z "${SCHEMATHESIS:-}" ]; then
	venv=build/schemathesis-$version
	if [ ! -x "$venv/bin/schemathesis" ]; then
		"${PYTHON:-python3}" -m venv "$venv"
		"$venv/bin/pip" install --quiet "schemathesis==$version"
	fi
	SCHEMATHESIS=$venv/bin/schemathesis
fi

go build -o "$work/promptd" ./cmd/promptd
go build -o "$work/scripted-provider" ./cmd/scripted-provider

free_port() { "${PYTHON:-python3}" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
api=127.0.0.1:$(free_port)
service=127.0.0.1:$(free_port)

"$work/scripted-provider" --listen "$service" >"$work/provider.log" 2>&1 &
pids="$pids $!"

cat >"$work/promptd.yaml" <<YAML
listen: $api
data_dir: $work/data
auth: {mode: keys, default_rate_limit_per_hour: 0}
telemetry: {log_level: warn}
providers:
  - name: scripted
    dialect: openai
    base_url: http://$service/v1
    api_key: none
    models: [{name: small, vision: true}]
YAML
"$work/promptd" keys create --config "$work/promptd.yaml" --name schemathesis --rate-limit 0 --output json \
	--scopes analyze,jobs,schemas,templates,cache,usage,requests,metrics,admin >"$work/key.json"
member() { sed -n 's/.*"'"$1"'": *"\([^"]*\)".*/\1/p' "$work/key.json" | head -n 1; }
key=$(member key)
[ -n "$key" ] || { echo "no key was made" >&2; exit 1; }
"$work/promptd" serve --config "$work/promptd.yaml" >"$work/server.log" 2>&1 &
pids="$pids $!"
"${PYTHON:-python3}" - "http://$api/v1/health/ready" <<'PY'
import sys, time, urllib.request
for _ in range(200):
    try:
        urllib.request.urlopen(sys.argv[1], timeout=1).read()
        sys.exit(0)
    except OSError:
        time.sleep(0.1)
sys.exit("the server is not ready after 20 seconds")
PY

# hooks.py holds back the one thing that the document can't say, that a caller's schema is itself a valid JSON Schema, and keeps the run's own key alive.
SCHEMATHESIS_OWN_KEY=$(member id) SCHEMATHESIS_HOOKS=test/schemathesis/hooks.py "$SCHEMATHESIS" run "http://$api/openapi.json" --header "Authorization: Bearer $key" --max-time "$seconds" --continue-on-failure
