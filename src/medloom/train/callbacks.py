"""What runs beside the training loop: progress, the loss curve, the guard against NaN, checkpoint marks."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medloom.errors import StageError
from medloom.progress import bar
from medloom.train.team import Team

if TYPE_CHECKING:
    from medloom.train.sampling import Plan

COMPLETE = "complete"
ALONE = Team()


def make_trainer(
    callback: Any,  # noqa: ANN401
    kind: Any = None,  # noqa: ANN401
    plan: "Plan | None" = None,
    callbacks: Sequence[Any] = (),
    restore: Callable[[str], None] | None = None,
    **kwargs: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """sentence-transformers' trainer with our callback, less what would print losses or sample texts for a card.

    Args:
        callback: Ours.
        kind: Class of the trainer; that of dense models if not given.
        callbacks: Further ones.
        restore: Takes the weights from a checkpoint; the library does if not given.
        plan: Which pairs make a batch; the library's samplers decide if not given.
        kwargs: Its own arguments.
    """
    from sentence_transformers import SentenceTransformerTrainer
    from transformers import PrinterCallback, TrainerCallback

    base: Any = kind or SentenceTransformerTrainer

    class Trainer(base):  # type: ignore[misc, unused-ignore]
        def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
            """The publish stage writes the card."""

        def get_batch_sampler(self, dataset: Any, **settings: Any) -> Any:  # noqa: ANN401
            return plan.of_set(dataset, **settings) if plan else super().get_batch_sampler(dataset, **settings)

        def get_multi_dataset_batch_sampler(self, dataset: Any, **settings: Any) -> Any:  # noqa: ANN401
            if plan is None:
                return super().get_multi_dataset_batch_sampler(dataset, **settings)
            self.pair_sampler = plan.of_all(dataset, **settings)
            return self.pair_sampler

        def _load_best_model(self) -> None:
            """As the library does it, but for its silence when the checkpoint does not load."""
            self._load_from_checkpoint(self.state.best_model_checkpoint)

        def _load_from_checkpoint(self, checkpoint_path: str) -> None:
            (restore or super()._load_from_checkpoint)(checkpoint_path)

    class Epochs(TrainerCallback):  # type: ignore[misc, unused-ignore]
        """Tells the sampler which epoch a resumed run of several processes is in: the library does not reach it there."""

        def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ANN401
            if plan is not None:
                trainer.pair_sampler.set_epoch(int(state.epoch + 1e-6))

    trainer = Trainer(callbacks=[callback, Epochs(), *callbacks], **kwargs)
    trainer.remove_callback(PrinterCallback)
    return trainer


def make_callback(losses: list[tuple[int, float]], team: Team = ALONE) -> Any:  # noqa: ANN401
    """A trainer callback.

    It shows progress, keeps the losses, stops at the first loss that is not a number, and marks each checkpoint once all
    its files are written (a kill can leave half of one).

    Args:
        losses: Filled with (step, loss), from the start of training even when resumed.
        team: The processes that train.
    """
    from transformers import TrainerCallback

    class Watch(TrainerCallback):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            self._bar: Any = None
            self._advance: Any = None

        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ANN401
            losses[:] = [(int(e["step"]), float(e["loss"])) for e in state.log_history if "loss" in e]
            self._bar = bar("training", state.max_steps, "steps")
            self._advance = self._bar.__enter__()
            self._advance(state.global_step)

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ANN401
            self._advance(1)

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:  # noqa: ANN401
            if logs and "loss" in logs:
                loss = float(logs["loss"])
                if not math.isfinite(loss):
                    raise StageError(
                        f"train: the loss is {loss} at step {state.global_step}: lower train.learning_rate, "
                        "or set train.precision: fp32"
                    )
                losses.append((int(state.global_step), loss))

        def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ANN401
            team.wait()
            if team.rank == 0:
                (Path(args.output_dir) / f"checkpoint-{state.global_step}" / COMPLETE).touch()

        def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ANN401
            self._bar.__exit__(None, None, None)

    return Watch()
