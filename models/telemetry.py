"""Opt-out from the telemetry of third-party libraries."""

from __future__ import annotations

import os
import sys

_OPT_OUT = {
    # Without this, every request to the hub describes the process.
    "HF_HUB_DISABLE_TELEMETRY": "1",
    # Without this, transformers requests a conversion from the hub for weights that are not in safetensors format.
    "DISABLE_SAFETENSORS_CONVERSION": "1",
}


def disable_telemetry() -> None:
    """Turns off the telemetry of OpenVINO and of the Hugging Face libraries in this process and its children.

    The libraries check at import, so a call after the import has no effect.
    """
    os.environ.update(_OPT_OUT)
    # OpenVINO sends an event at import and writes a client id to ~/intel, and has no environment variable to disable
    # this. With None, the import of its telemetry package fails, and OpenVINO uses its own stub.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
