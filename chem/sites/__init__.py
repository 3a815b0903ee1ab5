"""Binding sites: rigid relaxation, distances between placements, clusters; see binding_sites."""
