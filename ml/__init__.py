"""Graphs, the surrogate, its training and routing. No Prefect, no Dask."""
