"""What the guard works with: the relay, latched faults, and the policy in force."""
