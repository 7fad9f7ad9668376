"""One order for what binds others: blocks in a tree that only grows, and a state that proves what is in it."""
