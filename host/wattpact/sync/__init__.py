"""The connection to meters: datagrams, receipts and inboxes."""
