"""The link to meters: datagrams, receipts and inboxes."""
