"""What computes a converted model: OpenVINO or ONNX Runtime. Token ids in, vectors out."""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from medloom.encode.cores import usable_cores
from medloom.encode.silent import openvino_library
from medloom.errors import ModelError

Runtime = Literal["openvino", "onnx"]
Stored = Literal["fp32", "int8"]
Computed = Literal["fp32", "bf16", "int8"]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

RUNTIMES: tuple[Runtime, ...] = ("openvino", "onnx")
MODEL_FILE: Mapping[Runtime, str] = {"openvino": "model.xml", "onnx": "model.onnx"}
_STREAMS = 2
_PACKAGES: Mapping[Runtime, tuple[str, ...]] = {"openvino": ("openvino",), "onnx": ("onnxruntime", "onnx", "onnxscript")}
_MODULES: Mapping[Runtime, tuple[str, ...]] = {"openvino": ("openvino",), "onnx": ("onnxruntime",)}


class Network(Protocol):
    """A model without its tokenizer."""

    @property
    def streams(self) -> int:
        """How many batches it computes at once, each with its share of the threads."""

    def run(self, ids: Ints, mask: Ints) -> Floats:
        """Vectors of a padded batch; may be called by several threads at once.

        Args:
            ids: Token ids, int64, shape (n, width).
            mask: 1 for tokens, 0 for padding; int64, same shape.

        Returns:
            float32, shape (n, d).
        """


class OpenVinoNetwork:
    """A model in OpenVINO's own format.

    Args:
        folder: Holds ``model.xml`` and ``model.bin``.
        precision: Of the arithmetic.
        threads: To compute with.
    """

    def __init__(self, folder: Path, precision: Computed, threads: int) -> None:
        import openvino

        self.streams = min(_STREAMS, threads)
        settings: dict[str, Any] = {
            "NUM_STREAMS": str(self.streams),
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
            "ENABLE_CPU_PINNING": False,
        }
        core = openvino.Core()
        try:
            compiled = core.compile_model(core.read_model(folder / MODEL_FILE["openvino"]), "CPU", settings)
        except RuntimeError as error:
            raise ModelError(f"{folder} does not load in OpenVINO {version('openvino')}: export the model again") from error
        self._requests: SimpleQueue[Any] = SimpleQueue()
        for _ in range(self.streams):
            self._requests.put(compiled.create_infer_request())

    def run(self, ids: Ints, mask: Ints) -> Floats:
        """See :class:`Network`."""
        request = self._requests.get()
        try:
            return np.asarray(request.infer([ids, mask], share_inputs=True)[0], dtype=np.float32)
        finally:
            self._requests.put(request)


class OnnxNetwork:
    """A model in ONNX, computed by ONNX Runtime on the processor.

    Args:
        folder: Holds ``model.onnx``.
        threads: To compute with.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        import onnxruntime

        self.streams = min(_STREAMS, threads)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads // self.streams
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(folder / MODEL_FILE["onnx"]), options, providers=["CPUExecutionProvider"]
            )
        except RuntimeError as error:
            found = version("onnxruntime")
            raise ModelError(f"{folder} does not load in ONNX Runtime {found}: export the model again") from error

    def run(self, ids: Ints, mask: Ints) -> Floats:
        """See :class:`Network`."""
        return np.asarray(self._session.run(None, {"input_ids": ids, "attention_mask": mask})[0], dtype=np.float32)


def open_network(folder: Path, runtime: Runtime, precision: Computed, threads: int | None = None) -> Network:
    """A converted model, ready to compute.

    Args:
        folder: Where it lies.
        runtime: What computes it.
        precision: Of the arithmetic.
        threads: To compute with; every usable core if not given.

    Raises:
        ModelError: The files are damaged or of another version, or the processor does not compute like that.
        ImportError: The runtime is not installed.
    """
    check_installed(runtime)
    threads = threads or usable_cores()
    if runtime == "openvino":
        return OpenVinoNetwork(folder, precision, threads)
    return OnnxNetwork(folder, threads)


def settle_precision(runtime: Runtime, precision: Literal["auto"] | Computed) -> Computed:
    """What ``auto`` means for a runtime on this machine.

    Raises:
        ModelError: The runtime or the processor does not compute in what was asked for.
        ImportError: The runtime is not installed.
    """
    check_installed(runtime)
    if precision in ("fp32", "int8"):
        return precision
    if runtime == "openvino" and computes_bf16():
        return "bf16"
    if precision == "auto":
        return "fp32"
    why = "this processor has no instructions for it" if runtime == "openvino" else "ONNX Runtime has none on processors"
    raise ModelError(f"no bf16 with the backend {runtime}: {why}; give the precision fp32, int8 or auto")


def computes_bf16() -> bool:
    """Whether this processor has instructions for bf16, as OpenVINO finds."""
    openvino = openvino_library()
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def is_installed(runtime: Runtime) -> bool:
    """Whether what computes with it is there; what converts for it may need more."""
    from importlib.util import find_spec

    return all(find_spec(module) is not None for module in _MODULES[runtime])


def check_installed(runtime: Runtime) -> None:
    """Raise :class:`ImportError` if a runtime is not there."""
    if not is_installed(runtime):
        raise missing_extra(runtime)


def missing_extra(runtime: Runtime) -> ImportError:
    """What to say where a runtime, or what converts for it, is not installed."""
    return ImportError(f"the backend {runtime} needs {', '.join(_PACKAGES[runtime])}: pip install 'medloom[{runtime}]'")


def runtime_version(runtime: Runtime) -> str:
    """Version of what computes."""
    return version(_PACKAGES[runtime][0])
