"""Meters as processes of this machine."""
