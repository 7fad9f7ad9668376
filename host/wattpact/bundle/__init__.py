"""Bundles and disclosures: the files that an auditor is given, and the code that reads them."""
