"""Bills, the bundles that prove them, and the keys that unseal what is in a bundle."""
