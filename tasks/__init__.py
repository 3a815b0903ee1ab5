"""Small units of work: load by path, one call into chem or ml, save, return a record."""
