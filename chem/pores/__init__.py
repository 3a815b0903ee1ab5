"""Pores of a host: channels and pockets of a guest, diameters of spheres, void fractions."""
