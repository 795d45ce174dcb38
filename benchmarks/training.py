"""Pairs a second, peak memory and loss curve of ``medloom``'s training, beside two peers on the same batches.

All start from the same model and see the same pairs, cut to the same length, in the same batches; each is a process of its
own, one after the other. The peers are SentenceTransformerTrainer with its defaults (fp32, the model's dropout, a batch
padded to its longest text) and a plain loop that pads every text to 512 tokens, as MedTE's training does (fp32, AdamW,
InfoNCE). medloom runs with its defaults, which take bf16 where the processor computes in it, and once in fp32.

The curve is the loss of each step before its update. Dropout makes the peers' a little higher than medloom's, which has
none; ``--no-dropout`` takes it from all. Where other work shares the machine, pairs a CPU-second are the steadier figure.

Usage: ``python benchmarks/training.py PAIRS.jsonl.gz [--query question] [--positive answer] [--pairs 600] [--steps 12]``
"""

import argparse
import gzip
import json
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

Precision = Literal["auto", "fp32"]
MODEL = "builtin:all-MiniLM-L6-v2"
TEMPERATURE, RATE, SEED, PADDED = 0.05, 2e-5, 7, 512
_MIB = 1_024
_WARM = 2


def pairs_of(args: argparse.Namespace) -> list[tuple[str, str]]:
    """The first pairs of the file whose texts are all different."""
    seen: set[str] = set()
    pairs = []
    opened = gzip.open if args.file.suffix == ".gz" else open
    with opened(args.file, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            pair = str(row.get(args.query) or ""), str(row.get(args.positive) or "")
            if all(pair) and not seen & set(pair):
                seen.update(pair)
                pairs.append(pair)
            if len(pairs) == args.pairs:
                break
    return pairs


class Watch:
    """Times and losses of the steps.

    Attributes:
        ends: When each step ended, in seconds of the clock and of the processors.
        losses: Of each step.
    """

    def __init__(self) -> None:
        self.ends: list[tuple[float, float]] = []
        self.losses: list[float] = []

    def step(self) -> None:
        """A step has ended."""
        self.ends.append((time.perf_counter(), time.process_time()))

    def result(self, batch: int) -> dict[str, Any]:
        """Pairs a second without the first steps, peak memory in MiB, and the losses."""
        seconds, worked = (last - first for last, first in zip(self.ends[-1], self.ends[_WARM - 1], strict=True))
        pairs = batch * (len(self.ends) - _WARM)
        return {
            "pairs_per_second": pairs / seconds,
            "pairs_per_cpu_second": pairs / worked,
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MIB,
            "losses": self.losses,
        }


def with_medloom(args: argparse.Namespace, pairs: list[tuple[str, str]], precision: Precision) -> dict[str, Any]:
    """The training of medloom itself."""
    from medloom.encode import resolve_model
    from medloom.records import TrainingRecord
    from medloom.train import TrainConfig, dense
    from medloom.train.callbacks import make_callback
    from medloom.train.team import Team

    watch = Watch()

    def timed(losses: list[tuple[int, float]], team: Team) -> Any:  # noqa: ANN401
        callback = make_callback(losses, team)
        inner = callback.on_step_end

        def on_step_end(*given: Any, **more: Any) -> None:  # noqa: ANN401
            inner(*given, **more)
            watch.step()

        callback.on_step_end = on_step_end
        return callback

    setattr(dense, "make_callback", timed)  # noqa: B010
    config = TrainConfig(
        epochs=args.steps * args.batch / len(pairs),
        batch_size=args.batch,
        learning_rate=RATE,
        temperature=TEMPERATURE,
        warmup=0.0,
        schedule="constant",
        max_seq_length=args.length,
        precision=precision,
        weight_decay=0.0,
        checkpoint_steps=10_000,
        piece_tokens=args.piece,
    )
    records = [TrainingRecord(query, (positive,), "pairs", "file", "") for query, positive in pairs]
    with tempfile.TemporaryDirectory() as folder:
        result = dense.train_dense(records, resolve_model(MODEL), Path(folder), config, SEED)
    watch.losses = [loss for _, loss in result.losses]
    return watch.result(args.batch)


def with_the_trainer(args: argparse.Namespace, pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """SentenceTransformerTrainer with its defaults."""
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from transformers import TrainerCallback

    model = _model(args)
    watch = Watch()

    class Timed(TrainerCallback):  # type: ignore[misc, unused-ignore]
        def on_step_end(self, *given: Any, **more: Any) -> None:  # noqa: ANN401
            watch.step()

    with tempfile.TemporaryDirectory() as folder:
        trainer = SentenceTransformerTrainer(
            model=model,
            args=SentenceTransformerTrainingArguments(
                output_dir=folder,
                max_steps=args.steps,
                per_device_train_batch_size=args.batch,
                learning_rate=RATE,
                lr_scheduler_type="constant",
                batch_sampler="no_duplicates",
                seed=SEED,
                data_seed=SEED,
                logging_steps=1,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
            ),
            train_dataset=Dataset.from_dict(
                dict(zip(("anchor", "positive"), map(list, zip(*pairs, strict=True)), strict=True))
            ),
            loss=MultipleNegativesRankingLoss(model, scale=1 / TEMPERATURE),
            callbacks=[Timed()],
        )
        trainer.train()
    watch.losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return watch.result(args.batch)


def with_padding(args: argparse.Namespace, pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """A plain loop whose every text is as long as the longest may be."""
    import torch
    from torch.nn.functional import cross_entropy, normalize

    model = _model(args).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0)
    watch = Watch()

    def embed(texts: list[str]) -> torch.Tensor:
        features = model.tokenizer(texts, truncation=True, max_length=args.length, return_tensors="pt", padding=True)
        missing = PADDED - features["input_ids"].shape[1]
        padded = {name: torch.nn.functional.pad(value, (0, missing)) for name, value in features.items()}
        return normalize(model(padded)["sentence_embedding"], dim=-1)

    for batch in _batches(pairs, args):
        queries, positives = (embed([pairs[place][side] for place in batch]) for side in (0, 1))
        loss = cross_entropy(queries @ positives.T / TEMPERATURE, torch.arange(len(batch)))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        watch.step()
        watch.losses.append(loss.item())
    return watch.result(args.batch)


def _batches(pairs: list[tuple[str, str]], args: argparse.Namespace) -> Iterator[list[int]]:
    """The batches that the two trainers draw."""
    import torch
    from datasets import Dataset
    from sentence_transformers.base.sampler import NoDuplicatesBatchSampler

    data = Dataset.from_dict({"anchor": [q for q, _ in pairs], "positive": [p for _, p in pairs]})
    sampler = NoDuplicatesBatchSampler(data, args.batch, drop_last=False, generator=torch.Generator(), seed=SEED)
    left = args.steps
    epoch = 0
    while left:
        sampler.set_epoch(epoch)
        for batch in list(sampler)[:left]:
            yield batch
            left -= 1
        epoch += 1


def _model(args: argparse.Namespace) -> Any:  # noqa: ANN401
    from medloom.encode.models import load_model, resolve_model
    from medloom.train.loop import set_dropout

    model = load_model(resolve_model(MODEL))
    model.max_seq_length = args.length
    if args.no_dropout:
        set_dropout(model, 0.0)
    return model


CONTENDERS: dict[str, Callable[..., dict[str, Any]]] = {
    "medloom": lambda args, pairs: with_medloom(args, pairs, "auto"),
    "medloom, fp32": lambda args, pairs: with_medloom(args, pairs, "fp32"),
    "sentence-transformers, defaults": with_the_trainer,
    "padded to 512": with_padding,
}


def main() -> None:
    """Run every contender and print the table and the curves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--query", default="question")
    parser.add_argument("--positive", default="answer")
    parser.add_argument("--pairs", type=int, default=600)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--piece", type=int, default=None)
    parser.add_argument("--no-dropout", action="store_true")
    parser.add_argument("--only", choices=CONTENDERS)
    args = parser.parse_args()
    if args.only:
        print(json.dumps(CONTENDERS[args.only](args, pairs_of(args))), flush=True)
        return
    results = {}
    for name in CONTENDERS:
        ran = subprocess.run([sys.executable, *sys.argv, "--only", name], stdout=subprocess.PIPE)
        if ran.returncode == -signal.SIGKILL:
            print(f"{name}: killed, as a system does that is out of memory; it is left out", file=sys.stderr)
            continue
        ran.check_returncode()
        results[name] = json.loads(ran.stdout.splitlines()[-1])
        print(f"{name}: {results[name]['pairs_per_second']:.1f} pairs/s", file=sys.stderr)
    own = results["medloom"]["pairs_per_second"]
    worked = results["medloom"]["pairs_per_cpu_second"]
    print("| | pairs/s | medloom is | pairs/CPU-s | medloom is | peak MiB | loss, first to last |")
    print("|---|---|---|---|---|---|---|")
    for name, result in results.items():
        curve = " ".join(f"{loss:.2f}" for loss in result["losses"])
        speed, work = result["pairs_per_second"], result["pairs_per_cpu_second"]
        ratios = f"{speed:.1f} | {own / speed:.2f}x | {work:.1f} | {worked / work:.2f}x"
        print(f"| {name} | {ratios} | {result['peak_mib']:,.0f} | {curve} |")


if __name__ == "__main__":
    main()
