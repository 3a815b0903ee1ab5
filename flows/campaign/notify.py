"""Tells somebody that a campaign has ended, where the environment says whom. Off by default.

``WIDOMILL_NOTIFY_COMMAND`` is run by the shell with the message as JSON on its standard input;
``WIDOMILL_NOTIFY_URL`` gets the same by POST. A process that is killed tells nobody: for that the
server's own automation is there (`widomill ui notify`).
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import urllib.request
from typing import Any

COMMAND, URL = "WIDOMILL_NOTIFY_COMMAND", "WIDOMILL_NOTIFY_URL"
PATIENCE_S = 60.0

logger = logging.getLogger("widomill.notify")


def notify(flow: Any, flow_run: Any, state: Any) -> None:
    """Say how a flow run ended; a hook of Prefect flows.

    Args:
        flow: the flow.
        flow_run: its run.
        state: the state it ended in.
    """
    send(
        {
            "campaign": flow_run.name,
            "state": state.name,
            "message": state.message or "",
            "flow_run": str(flow_run.id),
            "tags": sorted(flow_run.tags),
        }
    )


def send(message: dict[str, Any]) -> None:
    """Hand a message to what the environment names; what fails is a warning."""
    text = json.dumps(message)
    command, url = os.environ.get(COMMAND), os.environ.get(URL)
    try:
        if command:
            subprocess.run(
                command, shell=True, input=text, text=True, check=True, timeout=PATIENCE_S
            )
        if url:
            request = urllib.request.Request(
                url, text.encode(), {"Content-Type": "application/json"}, method="POST"
            )
            with urllib.request.urlopen(request, timeout=PATIENCE_S):
                pass
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        logger.warning("The end of %s was not announced: %s", message["campaign"], error)
