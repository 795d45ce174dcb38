import subprocess
import sys

import pytest

_SCRIPT = """
import os
from medloom.memory import spare_memory
spare_memory()
import torch
linear = torch.nn.Linear(384, 384).to(torch.bfloat16)
with torch.no_grad():
    for rows in range(1, 400):
        linear(torch.zeros(rows, 384, dtype=torch.bfloat16))
print(os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"])
"""


def test_it_holds_in_a_fresh_process_and_the_arithmetic_still_works() -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "64"


def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    from medloom.memory import spare_memory

    monkeypatch.setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "7")
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "99")
    spare_memory()
    assert os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == "7"
