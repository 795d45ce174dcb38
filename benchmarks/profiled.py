"""Where the time of a job goes: a table from the samples of py-spy.

    py-spy record -r 20 -f raw -o job.raw -- medloom run quickstart
    python benchmarks/profiled.py job.raw

For each stage: its share of all samples, how many of its own are in the network (its passes forward and backward), and the
lines of medloom that the others are in most often, or called what they are in. Samples that stand under no stage go by the
function of medloom that was called first. py-spy is none of medloom's dependencies: ``pip install py-spy``.
"""

import argparse
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

NETWORK = ("_engine_run_backward (", "BaseModel.forward (", "MultiVectorEncoder.forward (")
RUNTIMES = "medloom/encode/runtimes.py"
STAGES = ("medloom/stages/", "medloom/search/build.py", "medloom/bench/runner.py", "medloom/encode/job.py")
OWN = "(medloom/"
_LINES = 3
_LEAST = 0.005


@dataclass
class Share:
    """Samples of one stage.

    Attributes:
        samples: All.
        network: Those in the network.
        lines: The others, by line of medloom.
    """

    samples: int = 0
    network: int = 0
    lines: Counter[str] = field(default_factory=Counter)


def shares(raw: Path) -> dict[str, Share]:
    """Samples by stage; ``raw`` holds a line for each stack, its frames outermost first, and how often it was seen."""
    found: dict[str, Share] = {}
    for line in raw.read_text("utf-8").splitlines():
        stack, count = line.rsplit(" ", 1)
        frames = stack.split(";")
        own = [frame for frame in frames if OWN in frame]
        stage = next((frame for frame in frames if any(place in frame for place in STAGES)), own[0] if own else "other")
        share = found.setdefault(stage.partition(" ")[0], Share())
        share.samples += int(count)
        if any(frame.startswith(NETWORK) or RUNTIMES in frame for frame in frames):
            share.network += int(count)
        else:
            share.lines[own[-1] if own else frames[-1]] += int(count)
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("raw", type=Path)
    found = shares(parser.parse_args().raw)
    every = sum(share.samples for share in found.values())
    print("| | of all | in the network | else, most often |")
    print("|---|---|---|---|")
    for name, share in sorted(found.items(), key=lambda item: -item[1].samples):
        if share.samples < _LEAST * every:
            continue
        most = "; ".join(f"`{line}` {n / share.samples:.0%}" for line, n in share.lines.most_common(_LINES))
        print(f"| {name} | {share.samples / every:.1%} | {share.network / share.samples:.0%} | {most} |")


if __name__ == "__main__":
    main()
