"""A campaign on the pages of Prefect."""
