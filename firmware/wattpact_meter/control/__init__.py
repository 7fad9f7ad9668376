"""The relay, the faults and the policies that the guard follows."""
