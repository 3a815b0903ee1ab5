"""Where the surrogate is evaluated: on a GPU when there is one and it is allowed."""

from __future__ import annotations

import os

import torch

from data.errors import SettingsError

VARIABLE = "WIDOMILL_DEVICE"


def default_device() -> str:
    """Return the torch device to score on.

    The environment variable WIDOMILL_DEVICE may name one: ``cpu``, ``cuda``, ``cuda:1``, or
    ``auto`` (the default), which takes a CUDA device when there is one. Scores from a CPU and
    from a GPU agree to rounding, not bit for bit.

    Returns:
        A device name.

    Raises:
        SettingsError: the variable names no known device, or one that is not there.
    """
    asked = os.environ.get(VARIABLE, "auto").strip().lower() or "auto"
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(asked)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise SettingsError(f"{VARIABLE} is {asked!r}; expected auto, cpu, cuda or cuda:N.")
    if device.type == "cuda" and not 0 <= (device.index or 0) < torch.cuda.device_count():
        raise SettingsError(
            f"{VARIABLE} asks for {asked!r}, but torch sees {torch.cuda.device_count()} CUDA "
            "devices. Set it to auto or cpu."
        )
    return str(device)
