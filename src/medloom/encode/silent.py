"""OpenVINO without what it would send."""

import sys
from types import ModuleType


def openvino_library() -> ModuleType:
    """OpenVINO, kept from telling its makers that it is used.

    Its converter and NNCF send events through the package ``openvino_telemetry``, unless the user has refused in a file of
    theirs. Where that package cannot be imported they send nothing, and so it is made impossible to import. A program that
    has imported it itself before decides for itself.

    Raises:
        ImportError: OpenVINO is not installed.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino  # type: ignore[no-any-return, unused-ignore]
