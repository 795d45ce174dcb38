"""LoRA (Hu et al. 2021): small matrices are trained beside the weights, and added to them in the end."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from medloom.errors import StageError
from medloom.train.config import LoraConfig

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class Adapter:
    """Trainable matrices beside the linear layers of a model whose weights are frozen.

    Args:
        model: Changed in place.
        config: Settings.

    Raises:
        StageError: peft is not installed, or the model has no linear layers of the names given.
    """

    def __init__(self, model: "SentenceTransformer", config: LoraConfig) -> None:
        try:
            import peft
        except ImportError as error:
            raise StageError("train.lora needs the package peft: pip install 'medloom[lora]'") from error
        model.requires_grad_(False)
        network: Any = model[0].auto_model
        self._network = network
        settings = peft.LoraConfig(
            r=config.rank,
            lora_alpha=round(config.rank * config.scale),
            lora_dropout=config.dropout,
            target_modules=list(config.targets) or "all-linear",
            exclude_modules=["pooler.dense"],
        )
        try:
            self._adapted = peft.get_peft_model(network, settings)
        except ValueError as error:
            linear = (name for name, module in network.named_modules() if hasattr(module, "in_features"))
            raise StageError(
                f"train.lora.targets: the model has no linear layers called {', '.join(config.targets)}: "
                f"it has {', '.join(sorted({name.rpartition('.')[2] for name in linear}))}"
            ) from error

    def restore(self, checkpoint: str) -> None:
        """Take weights and matrices from a checkpoint that the trainer wrote."""
        from safetensors.torch import load_file

        weights = {
            name: tensor
            for path in sorted(Path(checkpoint).glob("*.safetensors"))
            for name, tensor in load_file(path).items()
        }
        self._network.load_state_dict(weights)

    def merge(self) -> None:
        """Add what was learnt to the weights; the model is a plain one again."""
        self._adapted.merge_and_unload()
