"""Whether two records are the same product: learned from labelled pairs, in numpy alone."""
