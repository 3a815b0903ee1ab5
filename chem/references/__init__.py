"""Reference levels behind one contract: the energies the answer is for."""
