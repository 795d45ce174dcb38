"""One process of a training run: ``torchrun --nproc-per-node 8 -m medloom.train JOB.json``."""

import sys
from pathlib import Path

from medloom.train.launch import work

work(Path(sys.argv[1]))
