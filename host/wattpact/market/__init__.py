"""Grants for confirmed contracts; the grid's prices and the policies of guards."""
