"""Files of weights: read without running anything that is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from data.errors import ModelError


def save_weights(content: dict[str, Any], path: Path) -> None:
    """Write tensors and plain values with torch.save.

    Through a file of Python's: what torch writes by itself does not say that a disk is full.
    """
    import torch

    with path.open("wb") as handle:
        torch.save(content, handle)


def read_weights(path: str | Path, *, mapped: bool = False) -> dict[str, Any]:
    """Return the tensors and texts of a file written by torch.save.

    Only plain data is accepted: a pickle that would call anything is refused.

    Args:
        path: the file.
        mapped: map the file instead of reading it, so that processes share its memory.

    Raises:
        ModelError: the file is missing, damaged, or holds more than data.
    """
    import torch

    try:
        content: dict[str, Any] = torch.load(
            path, weights_only=True, map_location="cpu", mmap=mapped
        )
    except Exception as error:  # torch raises half a dozen kinds on damaged files
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(
            f"{path} cannot be read as weights: {reason}. Where a run made it, `widomill doctor` "
            "on its folder sets it aside and the next run makes it again."
        ) from error
    return content
