"""Hosts, guests, energies, references and the estimator. No Prefect, no Dask."""
