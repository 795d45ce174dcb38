"""Requests a second and waiting times of ``medloom serve``, beside a plain server and a peer, on this machine's loopback.

Every request carries one text that no other request has, and asks for its vector by the same model. The servers run one
after the other, each as a process of its own; the clients are in this process and keep one connection each. The plain server
is FastAPI with ``SentenceTransformer.encode`` in a plain ``def`` route, which FastAPI runs in its pool of threads. The peer
is LitServe with batches of 64 and 5 ms to fill one, if a Python that has it is named.

Usage: ``python benchmarks/serve.py [--seconds 6] [--clients 1 8 64] [--peer-python PATH]``

LitServe pins other versions of what medloom uses, so it has an environment of its own, which borrows torch and
sentence-transformers: ``python -m venv peer``, ``peer/bin/pip install litserve``, and a file ``medloom.pth`` in its
site-packages that names the site-packages of medloom's environment.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np

MODEL = "all-MiniLM-L6-v2"
WORDS = """
patient with acute chest pain radiating to the left arm and shortness of breath after exercise no fever history of high blood
pressure treated by tablet daily chronic kidney disease stage three diabetes mellitus type two normal sinus rhythm mild
oedema of both legs lungs clear abdomen soft no evidence of fracture follow up in two weeks allergic to penicillin
"""
KINDS = {"question": (4, 12), "passage": (40, 80)}
_READY_SECONDS = 120
_WARM_SECONDS = 1.5
_MOST_REQUESTS = 20_000

PLAIN = """
import sys
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(sys.argv[1], device="cpu")
app = FastAPI()
class Asked(BaseModel):
    input: list[str]
@app.get("/ready")
def ready():
    return {}
@app.post("/v1/embeddings")
def embeddings(asked: Asked):
    vectors = model.encode(asked.input, show_progress_bar=False)
    return {"data": [{"index": i, "embedding": v.tolist()} for i, v in enumerate(vectors)]}
uvicorn.run(app, port=int(sys.argv[2]), log_level="error")
"""

LITSERVE = """
import sys
import litserve
class Api(litserve.LitAPI):
    def setup(self, device):
        from sentence_transformers import SentenceTransformer
        self.model = SentenceTransformer(sys.argv[1], device="cpu")
    def decode_request(self, request):
        return request["input"][0]
    def predict(self, texts):
        return self.model.encode(list(texts), batch_size=64, show_progress_bar=False)
    def encode_response(self, vector):
        return {"data": [{"index": 0, "embedding": vector.tolist()}]}
if __name__ == "__main__":
    api = Api(max_batch_size=64, batch_timeout=0.005, api_path="/v1/embeddings")
    server = litserve.LitServer(api, accelerator="cpu", healthcheck_path="/ready", timeout=60)
    server.run(port=int(sys.argv[2]), host="127.0.0.1", generate_client_file=False, log_level="error")
"""


@dataclass
class Measured:
    """What the clients saw.

    Attributes:
        seconds: Of measuring.
        times: Of each answer, in seconds.
        statuses: How many answers had each status; 0 for a connection that broke.
    """

    seconds: float = 0.0
    times: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def row(self) -> str:
        """Requests a second, median, 95th percentile, and what went wrong."""
        middle, high = np.percentile(self.times, [50, 95]) * 1e3 if self.times else (np.nan, np.nan)
        refused = self.statuses[429]
        errors = sum(self.statuses.values()) - self.statuses[200] - refused
        return f"{self.statuses[200] / self.seconds:.1f} | {middle:.1f} | {high:.1f} | {refused} | {errors}"


def texts(seed: int, kind: str = "question") -> Iterator[str]:
    """Texts, no two the same."""
    draw = random.Random(seed)
    words = WORDS.split()
    number = 0
    while True:
        number += 1
        yield f"{seed} {number} " + " ".join(draw.choices(words, k=draw.randint(*KINDS[kind])))


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, text: str) -> tuple[int, bytes]:
    """One request over an open connection: status and body."""
    body = json.dumps({"model": MODEL, "input": [text]}).encode()
    writer.write(
        b"POST /v1/embeddings HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        b"content-length: %d\r\n\r\n" % len(body) + body
    )
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
    return int(head.split()[1]), await reader.readexactly(length)


async def client(port: int, kind: str, seed: int, until: float, seen: Measured) -> None:
    """Ask, wait, ask again."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for text in texts(seed, kind):
            began = time.perf_counter()
            if began >= until or len(seen.times) >= _MOST_REQUESTS:
                return
            try:
                status, _ = await ask(reader, writer, text)
            except (OSError, asyncio.IncompleteReadError):
                status = 0
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            seen.statuses[status] += 1
            if status == 200:
                seen.times.append(time.perf_counter() - began)
            else:
                await asyncio.sleep(0.05)
    finally:
        writer.close()


async def measure(port: int, kind: str, clients: int, seconds: float) -> Measured:
    """Let clients ask for a while, after a while that is not counted."""
    for counted, lasts in ((False, _WARM_SECONDS), (True, seconds)):
        seen = Measured()
        began = time.perf_counter()
        seeds = range(1000 * counted, 1000 * counted + clients)
        await asyncio.gather(*(client(port, kind, clients * 10_000 + seed, began + lasts, seen) for seed in seeds))
        seen.seconds = time.perf_counter() - began
    return seen


async def first_vectors(port: int) -> list[list[float]]:
    """What the server makes of three texts."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = []
    for _, text in zip(range(3), texts(0), strict=False):
        status, body = await ask(reader, writer, text)
        if status != 200:
            raise SystemExit(f"the server answers {status}: {body[:300]!r}")
        found.append(json.loads(body)["data"][0]["embedding"])
    writer.close()
    return found


@contextlib.contextmanager
def running(command: list[str]) -> Iterator[int]:
    """A server on a free port, ready."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    filled = [str(port) if word == "PORT" else word for word in command]
    process = subprocess.Popen(
        filled, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        asyncio.run(_until_ready(port, process))
        yield port
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


async def _until_ready(port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + _READY_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            assert process.stderr is not None
            raise SystemExit(f"the server ended with {process.returncode}: {process.stderr.read()[-800:]!r}")
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /ready HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
            line = await reader.readline()
            writer.close()
            if b" 200 " in line:
                return
        await asyncio.sleep(0.3)
    raise SystemExit("the server does not get ready")


def servers(peer: Path | None) -> dict[str, list[str]]:
    """The commands, by what the table calls them."""
    from medloom.encode import resolve_model

    folder = resolve_model(f"builtin:{MODEL}").location
    ours = [sys.executable, "-m", "medloom", "serve", "--model", f"builtin:{MODEL}", "--no-access-log", "--port", "PORT"]
    found = {"plain FastAPI + SentenceTransformer.encode": [sys.executable, "-c", PLAIN, folder, "PORT"]}
    if peer is not None:
        script = Path(os.environ.get("TMPDIR", "/tmp")) / "medloom_bench_litserve.py"
        script.write_text(LITSERVE, "utf-8")
        found["LitServe"] = [str(peer), str(script), folder, "PORT"]
    return found | {"medloom serve": ours, "medloom serve --precision auto": [*ours, "--precision", "auto"]}


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=6.0, help="of measuring for each line")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--peer-python", type=Path, help="a Python that has litserve")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, load average before: {os.getloadavg()[0]:.1f}")
    if arguments.peer_python is None:
        print("LitServe: left out, --peer-python names no Python that has it")
    print("| server | text | clients | requests/s | p50 ms | p95 ms | 429 | other errors | load average |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    expected: list[list[float]] = []
    for name, command in servers(arguments.peer_python).items():
        with running(command) as port:
            vectors = asyncio.run(first_vectors(port))
            expected = expected or vectors
            worst = min(float(np.dot(a, b)) for a, b in zip(vectors, expected, strict=True))
            if worst < 0.999:
                raise SystemExit(f"{name}: its vectors are others (cosine {worst:.4f})")
            for kind, clients in product(KINDS, arguments.clients):
                seen = asyncio.run(measure(port, kind, clients, arguments.seconds))
                print(f"| {name} | {kind} | {clients} | {seen.row} | {os.getloadavg()[0]:.1f} |", flush=True)


if __name__ == "__main__":
    main()
