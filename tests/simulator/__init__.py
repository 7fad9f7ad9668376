"""One simulator of a community for all tests: who signs, what is published, hosts, meters and what is between them."""
