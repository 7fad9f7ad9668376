"""From verified entries to what is due: register rules, load profiles, contracts, slots, statements."""
