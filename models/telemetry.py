"""Opt-out from the telemetry of third-party libraries."""

from __future__ import annotations

import os
import sys

_OPT_OUT = {
    # Otherwise every request to the hub describes the process, after a download of the descriptions to look for.
    "HF_HUB_DISABLE_TELEMETRY": "1",
    # Otherwise transformers asks a service of the hub to convert weights that are not in safetensors format.
    "DISABLE_SAFETENSORS_CONVERSION": "1",
}


def disable_telemetry() -> None:
    """Turns off the telemetry of OpenVINO and of the Hugging Face libraries in this process and its children.

    The libraries check at import, so a call after the import has no effect.
    """
    os.environ.update(_OPT_OUT)
    # OpenVINO sends an event at import and writes a client id to ~/intel. The entry makes the import of its telemetry
    # package fail, which OpenVINO handles by a stub of its own. It has no environment variable for this.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
