"""The relay and the policies that the guard goes by."""
