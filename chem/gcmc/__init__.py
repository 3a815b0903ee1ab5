"""Grand-canonical Monte Carlo of one rigid guest in a rigid host: adsorption isotherms."""
