"""A campaign's results in the formats others read."""
