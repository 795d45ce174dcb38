"""LM-Cocktail's rule: its loss and its weights, against the published formula in torch."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.merge.toys import toy_task

from medloom.encode import load_encoder
from medloom.errors import MedloomError, ModelError
from medloom.merge.config import MergeConfig
from medloom.merge.losses import contrastive_loss, examples_of, weights_of
from medloom.merge.run import Sets, merge


def test_the_loss_is_lm_cocktails(parents: list[Path]) -> None:
    examples = examples_of([toy_task("a"), toy_task("b", shift=9)], 10, seed=3, negatives=4)
    encoder = load_encoder(parents[0])
    queries = torch.from_numpy(encoder.encode([one.query for one in examples]))
    passages = torch.from_numpy(encoder.encode([t for one in examples for t in (one.positive, *one.negatives)]))
    queries, passages = (torch.nn.functional.normalize(rows, dim=-1) for rows in (queries, passages))
    scores = torch.matmul(queries, passages.transpose(0, 1)) / 0.05
    target = torch.arange(scores.size(0)) * (passages.size(0) // queries.size(0))
    expected = torch.nn.CrossEntropyLoss(reduction="mean")(scores, target)
    assert contrastive_loss(encoder, examples) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("temperature", [5.0, 0.5, 0.01])
def test_the_weights_are_lm_cocktails(temperature: float) -> None:
    losses = [1.7, 0.4, 2.25, 0.9]
    expected = torch.softmax(-torch.tensor(losses, dtype=torch.float64) / temperature, -1)
    np.testing.assert_allclose(weights_of(losses, temperature), expected.numpy(), rtol=1e-12)


def test_a_loss_that_is_no_number() -> None:
    with pytest.raises(ModelError, match="not a number"):
        weights_of([1.0, math.nan], 5.0)


def test_examples_come_from_every_task_in_turn_and_are_drawn_by_seed() -> None:
    tasks = [toy_task("a"), toy_task("b", shift=20)]
    examples = examples_of(tasks, 8, seed=1)
    assert len(examples) == 8
    assert examples == examples_of(tasks, 8, seed=1) != examples_of(tasks, 8, seed=2)
    asked = [set(task.data["queries"].values()) for task in tasks]
    assert all(one.query in asked[number % 2] for number, one in enumerate(examples))
    for one in examples:
        assert len(one.negatives) == len(set(one.negatives)) == 7 and one.positive not in one.negatives
    assert len(examples_of(tasks, 500, seed=1)) == 24
    with pytest.raises(MedloomError, match="more than 100 texts"):
        examples_of(tasks, 8, seed=1, negatives=100)


def test_weights_found_on_the_dev_sets(parents: list[Path], tmp_path: Path) -> None:
    models, sets = [str(path) for path in parents[:2]], Sets((toy_task("dev"),))
    config = MergeConfig(weights="found", temperature=0.5, examples=12)
    merged = merge(models, config, tmp_path / "m", sets, seed=4, precision="fp32")
    found = merged.facts["found"]
    examples = examples_of(sets.dev, 12, seed=4)
    assert found["losses"] == pytest.approx([contrastive_loss(load_encoder(p), examples) for p in parents[:2]])
    assert merged.facts["weights"] == pytest.approx(weights_of(found["losses"], 0.5))
    assert (found["examples"], merged.facts["chosen"]) == (12, "found")
