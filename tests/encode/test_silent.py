"""OpenVINO tells nobody that it is used."""

import subprocess
import sys

import pytest

pytest.importorskip("openvino")

CHECK = """
import sys
from medloom.encode.silent import openvino_library
library = openvino_library()
from openvino.tools.ovc import convert_impl
{nncf}
assert library is sys.modules["openvino"]
assert convert_impl.tm.__name__ == "openvino.tools.ovc.telemetry_stub", convert_impl.tm.__name__
assert not any(name.startswith("openvino_telemetry.") for name in sys.modules)
"""
NNCF = """
from nncf.telemetry import wrapper
assert type(wrapper.telemetry).__name__ == "MagicMock", wrapper.telemetry
"""


def test_neither_the_converter_nor_nncf_has_what_sends() -> None:
    pytest.importorskip("nncf")
    pytest.importorskip("openvino_telemetry")
    subprocess.run([sys.executable, "-c", CHECK.format(nncf=NNCF)], check=True, timeout=120)
