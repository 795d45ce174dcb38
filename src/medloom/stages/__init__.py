"""The stages of a run: what each reads, what it writes, and which settings it depends on.

A stage is pure: finished artifacts and settings in, one artifact out. ``pipeline`` decides which of them to run.
"""

from medloom.engine import HOW_ONLY
from medloom.recipe import Recipe
from medloom.stages import clean, collect, merge, model, notes, text
from medloom.stages.base import Outcome, Stage, Work, base_hash, documents_stage, model_stage, nothing, training_stage
from medloom.stages.gate import check_gate

__all__ = ["STAGES", "STAGE_NAMES", "Outcome", "Stage", "Work", "check_gate", "documents_stage", "model_stage", "stages_of"]

STAGES: tuple[Stage, ...] = (
    Stage(
        "collect",
        2,
        (),
        lambda r: {"sources": [s.model_dump(mode="json") for s in r.sources]},
        collect.source_hashes,
        collect.collect,
        resumable=True,
    ),
    Stage(
        "clean",
        1,
        ("documents",),
        lambda r: r.clean.model_dump(mode="json") if r.clean else {},
        nothing,
        clean.clean,
        wanted=lambda r: r.clean is not None,
    ),
    Stage(
        "deid",
        1,
        ("documents",),
        lambda r: r.deid.model_dump(mode="json", exclude={"key_file"}) if r.deid else {},
        notes.key_hash,
        notes.deid,
        wanted=lambda r: r.deid is not None,
    ),
    Stage(
        "generate",
        2,
        ("documents",),
        notes.generate_settings,
        notes.model_hash,
        notes.generate,
        resumable=True,
        wanted=lambda r: r.generate is not None,
    ),
    Stage("pairs", 1, ("documents", "generate"), lambda r: r.pairs.model_dump(mode="json"), nothing, text.pairs),
    Stage(
        "guard",
        2,
        ("documents", "pairs"),
        lambda r: r.guard.model_dump(mode="json", exclude={*HOW_ONLY, "against"}) | {"seed": r.seed},
        text.judge_hashes,
        text.guard,
    ),
    Stage(
        "mine",
        1,
        ("documents", "guard"),
        lambda r: r.negatives.model_dump(mode="json", exclude={*HOW_ONLY}) | {"precision": r.evaluate.precision},
        model.mining_models,
        model.mine,
        resumable=True,
    ),
    Stage(
        "dev",
        1,
        ("documents", "guard", "mine"),
        merge.dev_settings,
        nothing,
        merge.hold_back,
        wanted=lambda r: training_stage(r) == "dev",
    ),
    Stage(
        "train",
        1,
        ("training",),
        lambda r: r.train.model_dump(mode="json") | {"seed": r.seed},
        model.training_models,
        model.train,
        resumable=True,
    ),
    Stage(
        "merge",
        1,
        ("dev", "train"),
        merge.merge_settings,
        merge.merged_models,
        merge.merge,
        resumable=True,
        wanted=lambda r: r.merge is not None,
    ),
    Stage(
        "evaluate",
        3,
        ("guard", "model"),
        lambda r: r.evaluate.model_dump(mode="json") | {"seed": r.seed},
        base_hash,
        model.evaluate,
    ),
    Stage(
        "publish",
        1,
        ("collect", "documents", "generate", "guard", "train", "model", "evaluate"),
        lambda r: r.settings(sharing=False),
        nothing,
        model.publish,
    ),
)
STAGE_NAMES = tuple(stage.name for stage in STAGES)


def stages_of(recipe: Recipe) -> tuple[Stage, ...]:
    """The stages that the recipe has, in order."""
    return tuple(stage for stage in STAGES if stage.wanted(recipe))
