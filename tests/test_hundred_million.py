"""The page on a hundred million notes shows what its command prints."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_the_page_is_what_the_command_prints() -> None:
    page = (ROOT / "docs" / "hundred-million.md").read_text("utf-8")
    command = re.search(r"hundred_million\.py (--characters .*?)\n```", page, re.DOTALL)
    assert command is not None
    options = command[1].replace("\\\n", " ").split()
    script = ROOT / "benchmarks" / "hundred_million.py"
    said = subprocess.run([sys.executable, script, *options], capture_output=True, text=True, check=True, timeout=120).stdout
    tables = said.strip().split("\n\n")
    assert len(tables) == 7
    for table in tables:
        assert table in page
