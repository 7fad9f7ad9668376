"""From confirmed contracts to grants; prices and policies."""
