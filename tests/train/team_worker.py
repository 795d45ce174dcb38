"""One of several processes: loss and gradients of its share of a batch, for the test that starts it."""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
from torch.nn.parallel import DistributedDataParallel

from medloom.encode import resolve_model
from medloom.train import TrainConfig
from medloom.train.judges import Judges
from medloom.train.loop import set_dropout
from medloom.train.losses import build_loss
from medloom.train.packing import LengthSorted
from medloom.train.pairs import Row
from medloom.train.team import Team

WORDS = ["fever", "heart", "pain", "in", "a", "child", "at", "night", "dose", "x9"]
CONFIGS = {
    "plain": TrainConfig(symmetric=True),
    "cached": TrainConfig(mini_batch=2),
    "guided": TrainConfig(
        guide="base", contrast=("queries", "documents"), anchor=0.5, distill={"match": "similarities"}, matryoshka=(32, 8)
    ),
    "guided-cached": TrainConfig(guide="self", temperatures={"own": 0.1}, distill={"match": "margins"}, mini_batch=3),
}


def some_rows(count: int) -> list[Row]:
    return [
        Row(
            " ".join(WORDS[(i * 3 + k) % 10] for k in range(1 + i % 5)),
            tuple(" ".join(WORDS[(i * 7 + k * j) % 10] for k in range(1 + (i * j) % 9)) for j in (1, 2)),
            "own/x",
            "own",
            "",
        )
        for i in range(count)
    ]


def gradients(base: Path, team: Team, name: str, out: Path) -> dict[str, torch.Tensor]:
    """The loss of this process's share, and the gradients averaged over processes."""
    config, rows = CONFIGS[name], some_rows(8)
    model = SentenceTransformer(str(base), device="cpu")
    set_dropout(model, 0.0)
    model.train()
    ref = resolve_model(str(base))
    judges = team.first_then_all(lambda: Judges(rows, ref, None, out / f"{name}-{team.size}", config))
    inner = model if config.mini_batch and team.size > 1 else LengthSorted(model, 40)
    loss = build_loss(inner, config, rows, judges.guide, judges.teachers, gather=team.size > 1)
    if team.size > 1:
        wrapped = DistributedDataParallel(model, find_unused_parameters=True, broadcast_buffers=False)
        trainer = SentenceTransformerTrainer.__new__(SentenceTransformerTrainer)
        loss = trainer.override_model_in_loss(loss, wrapped)  # type: ignore[arg-type]
    share = len(rows) // team.size
    mine = range(team.rank * share, (team.rank + 1) * share)
    columns = [[rows[i].query for i in mine], *([rows[i].documents[j] for i in mine] for j in (0, 1))]
    value = loss([dict(model.preprocess(column)) for column in columns], torch.tensor(list(mine)))
    value.backward()
    found = {key: p.grad.clone() for key, p in model.named_parameters() if p.grad is not None and "pooler" not in key}
    return found | {"loss": value.detach().reshape(1)}


if __name__ == "__main__":
    torch.set_num_threads(1)
    base, out = Path(sys.argv[1]), Path(sys.argv[2])
    team = Team.joined()
    for name in CONFIGS:
        save_file(gradients(base, team, name, out), out / f"{name}-{team.rank}.safetensors")
