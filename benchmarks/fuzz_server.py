"""Requests that schemathesis draws from the server's own description: how many, how they were answered, and what was wrong.

A server on the built-in model, with an index if one is named, is started on this machine's loopback, asked, and ended.
schemathesis checks that no answer is a 5xx, and that status, type and body are as ``/openapi.json`` says. What it found is
printed as it says it, then the answers by route and status as the server counted them.

Usage: ``python benchmarks/fuzz_server.py [--examples 100] [--index FOLDER] [--schemathesis PATH]``. ``pip install
schemathesis`` into an environment of its own and name its command.
"""

import argparse
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter

_READY_SECONDS = 120
_LONGEST_SECONDS = 900
_COUNTED = re.compile(r'medloom_requests_total\{method="(\w+)",route="([^"]+)",status="(\d+)"\} (\d+)')


def fetch(url: str) -> str | None:
    """The page, if there is one."""
    with contextlib.suppress(OSError, urllib.error.URLError), urllib.request.urlopen(url, timeout=5) as answer:
        return str(answer.read(), "utf-8")
    return None


def wait_for(url: str) -> None:
    """Until the server is ready."""
    until = time.monotonic() + _READY_SECONDS
    while fetch(f"{url}/ready") is None:
        if time.monotonic() > until:
            raise SystemExit("the server does not get ready")
        time.sleep(0.3)


def main() -> int:
    """Start, ask, count, end; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--examples", type=int, default=100, help="requests for each operation and phase")
    parser.add_argument("--schemathesis", default="schemathesis", help="the command")
    parser.add_argument("--index", help="also the routes that search: an index made with the built-in model")
    arguments = parser.parse_args()
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    serve = [sys.executable, "-m", "medloom", "serve", "--model", "builtin:all-MiniLM-L6-v2", "--no-access-log"]
    serve += ["--index", arguments.index] if arguments.index else []
    server = subprocess.Popen(
        [*serve, "--port", url.rsplit(":", 1)[1]], env=os.environ | {"HF_HUB_OFFLINE": "1"}, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(url)
        checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
        fuzz = [arguments.schemathesis, "run", f"{url}/openapi.json", "--checks", checks, "--seed", "7", "--no-color"]
        done = subprocess.run(
            [*fuzz, "--max-examples", str(arguments.examples), "--generation-database", "none"],
            timeout=_LONGEST_SECONDS,
            check=False,
        )
        counted = _COUNTED.findall(fetch(f"{url}/metrics") or "")
    finally:
        server.send_signal(signal.SIGTERM)
        ended = server.wait(60)
    statuses: Counter[str] = Counter()
    print("| method | route | status | answers |\n| --- | --- | ---: | ---: |")
    for method, route, status, number in sorted(counted):
        statuses[status] += int(number)
        print(f"| {method} | {route} | {status} | {number} |")
    print(
        f"{sum(statuses.values()):,} answers: " + ", ".join(f"{n:,} of {status}" for status, n in sorted(statuses.items()))
    )
    failures = sum(n for status, n in statuses.items() if status.startswith("5"))
    print(f"schemathesis ended with {done.returncode}, the server with {ended}, {failures} answers were 5xx")
    return int(bool(done.returncode or ended or failures))


if __name__ == "__main__":
    sys.exit(main())
