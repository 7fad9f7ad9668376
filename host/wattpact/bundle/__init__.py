"""What an auditor is given, and may import."""
