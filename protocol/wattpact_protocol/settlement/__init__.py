"""What verified entries come to: register rules, contracts, slots, statements."""
