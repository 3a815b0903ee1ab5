"""Screening: which hosts the label budget of a campaign goes to."""
