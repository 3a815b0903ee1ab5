"""Campaigns: many hosts and guests from one file, on any cluster, resumable from its folder."""
