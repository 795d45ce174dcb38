"""Ways to average: which share of each parent goes into each tensor."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from medloom.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

_SUM = 1e-3
_NEARLY_ALIKE = 0.9995


@dataclass(frozen=True)
class Place:
    """Where a tensor stands in its network.

    Attributes:
        name: Its name.
        row: 0 for the embeddings, n for block n (counted from 1), the last block's for what comes after it.
        rows: Number of blocks, and one.
    """

    name: str
    row: int
    rows: int


class Way(Protocol):
    """Says what share each parent has in a tensor."""

    @property
    def method(self) -> str:
        """``linear``, ``layered`` or ``slerp``."""

    def shares(self, place: Place, tensors: Sequence["Tensor"]) -> tuple[float, ...]:
        """The factor of each parent's tensor.

        Args:
            place: Which tensor it is.
            tensors: The parents' values, of one shape.
        """

    def to_dict(self) -> dict[str, Any]:
        """As JSON, for ``merge.json``."""


@dataclass(frozen=True)
class Linear:
    """One weight for each parent: what LM-Cocktail (Xiao et al. 2023) does, and a uniform soup with equal weights."""

    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        check_weights(self.weights)

    @property
    def method(self) -> str:
        """The method's name."""
        return "linear"

    def shares(self, place: Place, tensors: Sequence["Tensor"]) -> tuple[float, ...]:
        """The weights, whatever the tensor."""
        return self.weights

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"method": self.method, "weights": list(self.weights)}


@dataclass(frozen=True)
class Layered:
    """Weights that change with depth, in equal steps from the embeddings to the last block.

    Attributes:
        bottom: Weights of the embeddings.
        top: Weights of the last block and what comes after it.
    """

    bottom: tuple[float, ...]
    top: tuple[float, ...]

    def __post_init__(self) -> None:
        check_weights(self.bottom)
        check_weights(self.top)
        if len(self.bottom) != len(self.top):
            raise ModelError(f"{len(self.bottom)} weights at the bottom and {len(self.top)} at the top: give one a model")

    @property
    def method(self) -> str:
        """The method's name."""
        return "layered"

    def shares(self, place: Place, tensors: Sequence["Tensor"]) -> tuple[float, ...]:
        """The weights at the tensor's depth.

        Raises:
            ModelError: The network has no numbered blocks.
        """
        if place.rows < 2:
            raise ModelError(f"no numbered blocks are found in the network ({place.name}): give weights without depth")
        depth = place.row / (place.rows - 1)
        return tuple(low + (high - low) * depth for low, high in zip(self.bottom, self.top, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"method": self.method, "weights": list(self.bottom), "top_weights": list(self.top)}


@dataclass(frozen=True)
class Slerp:
    """Along the arc between two models' tensors instead of the chord (Shoemake 1985), as mergekit does it.

    Attributes:
        t: 0 is the first model, 1 the second.
    """

    t: float

    def __post_init__(self) -> None:
        if not 0 <= self.t <= 1:
            raise ModelError(f"slerp goes from 0 to 1, not to {self.t:g}")

    @property
    def method(self) -> str:
        """The method's name."""
        return "slerp"

    def shares(self, place: Place, tensors: Sequence["Tensor"]) -> tuple[float, ...]:
        """The factors of both tensors; those of a straight average where the two point nearly the same way.

        Raises:
            ModelError: There are not two models.
        """
        if len(tensors) != 2:
            raise ModelError(f"slerp is between two models, not {len(tensors)}")
        straight = (1 - self.t, self.t)
        one, other = (tensor.double().flatten() for tensor in tensors)
        norms = float(one.norm()) * float(other.norm())
        cosine = float(one @ other) / norms if norms else 1.0
        if abs(cosine) > _NEARLY_ALIKE:
            return straight
        angle = math.acos(cosine)
        return math.sin((1 - self.t) * angle) / math.sin(angle), math.sin(self.t * angle) / math.sin(angle)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"method": self.method, "weights": [1 - self.t, self.t]}


def way_of(method: str, weights: Sequence[float], top: Sequence[float] | None = None) -> Way:
    """The way that a method and its weights name.

    Args:
        method: ``linear`` or ``slerp``.
        weights: One for each model; they sum to 1.
        top: Weights of the last block, if they are to change with depth.

    Raises:
        ModelError: The weights fit neither each other nor the method.
    """
    check_weights(weights)
    if method == "slerp":
        if len(weights) != 2 or top is not None:
            raise ModelError("slerp is between two models, with one pair of weights")
        return Slerp(float(weights[1]))
    if top is None or tuple(top) == tuple(weights):
        return Linear(tuple(map(float, weights)))
    return Layered(tuple(map(float, weights)), tuple(map(float, top)))


def way_from(stored: dict[str, Any]) -> Way:
    """The inverse of ``to_dict``."""
    method = "slerp" if stored["method"] == "slerp" else "linear"
    return way_of(method, stored["weights"], stored.get("top_weights"))


def check_weights(weights: Sequence[float]) -> None:
    """Raise :class:`ModelError` unless the weights are shares of a whole."""
    if not weights or not all(math.isfinite(weight) and weight >= 0 for weight in weights):
        raise ModelError(f"weights are numbers from 0 on, not {shown(weights)}")
    if abs(sum(weights) - 1) > _SUM:
        raise ModelError(f"weights must sum to 1; {shown(weights)} sum to {sum(weights):g}")


def shown(weights: Sequence[float]) -> str:
    """Weights as a person would write them."""
    return ", ".join(f"{weight:.3g}" for weight in weights)
