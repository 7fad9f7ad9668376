"""Encryption of what is measured: a secret for each epoch, a key for each key period, sealing and unsealing."""
