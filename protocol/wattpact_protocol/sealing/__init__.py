"""How what is measured is encrypted: a secret for each epoch, a key for each period, sealed parts, unsealing."""
