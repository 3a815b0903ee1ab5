"""Automations of the Prefect server: who is told when a campaign has ended."""

from __future__ import annotations

from pathlib import Path

import yaml

from data.errors import SettingsError

CAMPAIGN_ENDED = Path(__file__).with_name("campaign-ended.yaml")
BLOCK = "widomill-campaign-ended"


def notify_webhook(url: str) -> str:
    """Let the server of the current settings call a webhook when a campaign ends.

    Doing it again changes the address.

    Args:
        url: gets a POST with JSON: campaign, state, message, flow_run, page.

    Returns:
        What was made, in words.

    Raises:
        SettingsError: the address is none, or no Prefect server is set.
    """
    from prefect.blocks.webhook import Webhook
    from prefect.client.orchestration import get_client
    from prefect.events.schemas.automations import AutomationCore
    from prefect.settings import get_current_settings

    if not url.startswith(("http://", "https://")):
        raise SettingsError(f"{url!r} is no address: it starts with neither http:// nor https://.")
    if not get_current_settings().api.url:
        raise SettingsError("Set PREFECT_API_URL to the server that is to call the webhook.")
    content = {"method": "POST", "url": url, "headers": {"Content-Type": "application/json"}}
    block = Webhook.model_validate(content).save(BLOCK, overwrite=True)
    text = CAMPAIGN_ENDED.read_text(encoding="utf-8").replace("BLOCK_ID", str(block))
    wanted = AutomationCore.model_validate(yaml.safe_load(text))
    with get_client(sync_client=True) as client:
        for known in client.read_automations_by_name(wanted.name):
            client.delete_automation(known.id)
        made = client.create_automation(wanted)
    return f"Automation {wanted.name!r} ({made}) calls {url} when a campaign has ended."
