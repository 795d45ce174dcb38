"""The processes of one training run (``torchrun``): who writes files, and what all of them must agree on."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Team:
    """This process among those that train one model.

    Attributes:
        rank: Its number; the first, 0, alone writes files.
        size: How many there are.
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def joined(cls) -> "Team":
        """The team that ``torchrun`` has started, joined; a team of one where it has not."""
        if int(os.environ.get("WORLD_SIZE", "1")) < 2:
            return cls()
        import torch
        from torch import distributed

        if not distributed.is_initialized():
            if torch.cuda.is_available():
                torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
            distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        return cls(distributed.get_rank(), distributed.get_world_size())

    def shared(self, make: Callable[[], T]) -> T:
        """What the first process makes, for all of them; they wait for it."""
        if self.size == 1:
            return make()
        from torch import distributed

        made: list[T | None] = [make() if self.rank == 0 else None]
        distributed.broadcast_object_list(made, src=0)
        return made[0]  # type: ignore[return-value]

    def first_then_all(self, make: Callable[[], T]) -> T:
        """What each process makes, the others only when the first has: it writes files that they then find."""
        if self.rank == 0:
            made = make()
        self.wait()
        return made if self.rank == 0 else make()

    def wait(self) -> None:
        """Until all processes are here."""
        if self.size > 1:
            from torch import distributed

            distributed.barrier()
